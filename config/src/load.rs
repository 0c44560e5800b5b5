//! The one place that reads files and the environment.

use crate::{Layer, Profile, Settings, closest, environment_layer, parse_yaml};
use octopussy_core::plain_text::{self, NotText};
use octopussy_core::problem::Finding;
use std::io::Read;
use std::path::PathBuf;

/// The largest `config.yaml`: a hundred times what a real one has.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What to load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The file somebody wrote, usually `<home>/config.yaml`; it need not exist.
    pub file: PathBuf,
    /// A profile chosen on the command line; otherwise the file or the environment chooses, otherwise LOCAL.
    pub profile: Option<Profile>,
    /// The names of the sections there are.
    pub sections: Vec<&'static str>,
    /// The environment, as `std::env::vars()` gives it.
    pub environment: Vec<(String, String)>,
}

/// Loads and merges: shipped profile, then the file, then the environment.
///
/// # Errors
/// Everything that is wrong with the file or the environment, as far as it can be told without knowing the sections.
pub fn load(options: &LoadOptions) -> Result<Settings, Vec<Finding>> {
    let name = options.file.display().to_string();
    let mut findings = Vec::new();
    let mut accept = |layer: Result<Layer, Vec<Finding>>| match layer {
        Ok(layer) => layer,
        Err(wrong) => {
            findings.extend(wrong);
            Layer::default()
        }
    };
    let written = accept(read(&options.file).map_err(|finding| vec![finding]).and_then(|text| layer_of(&name, &text)));
    let environment = accept(environment_layer(options.environment.iter().cloned()));
    let profile = match options.profile {
        Some(profile) => profile,
        None => match profile_named(&environment, &written) {
            Ok(profile) => profile,
            Err(finding) => {
                findings.push(finding);
                Profile::default()
            }
        },
    };
    let shipped = layer_of(profile.file(), profile.text())?;
    let mut settings = Settings::new(profile);
    for layer in [&shipped, &written, &environment] {
        findings.extend(unknown_sections(layer, &options.sections));
        settings.apply(layer);
    }
    if findings.is_empty() { Ok(settings) } else { Err(findings) }
}

/// The layer a file's text makes.
fn layer_of(file: &str, text: &str) -> Result<Layer, Vec<Finding>> {
    Layer::from_tree(file, &parse_yaml(file, text)?).map_err(|finding| vec![finding])
}

fn profile_named(environment: &Layer, written: &Layer) -> Result<Profile, Finding> {
    let Some((value, origin)) = [environment, written].into_iter().find_map(|layer| layer.get("profile")) else {
        return Ok(Profile::default());
    };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().map_err(|error: crate::ParseProfileError| {
        let (file, line) = origin.place();
        let hint = closest(&text.to_ascii_uppercase(), Profile::ALL.map(Profile::name))
            .map(|near| format!("did you mean {near}?"));
        Finding { file: file.to_owned(), line, message: format!("profile: {error}"), hint }
    })
}

fn unknown_sections(layer: &Layer, known: &[&'static str]) -> Vec<Finding> {
    let unknown = layer.sections().filter(|(name, _)| *name != "profile" && !known.contains(name));
    unknown
        .map(|(name, origin)| {
            let (file, line) = origin.place();
            let mut expected = known.to_vec();
            expected.sort_unstable();
            Finding {
                file: file.to_owned(),
                line,
                message: format!("there is no section '{name}': expected one of {}", expected.join(", ")),
                hint: closest(name, known.iter().copied()).map(|near| format!("did you mean '{near}'?")),
            }
        })
        .collect()
}

/// The file's text; empty when there is no file.
fn read(path: &std::path::Path) -> Result<String, Finding> {
    let finding = |message: String, hint: &str| Finding {
        file: path.display().to_string(),
        line: None,
        message,
        hint: Some(hint.to_owned()),
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(finding(format!("cannot be opened: {error}"), "check the file's owner and mode")),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| finding(format!("cannot be read: {error}"), "it has to be a regular file"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(finding(
            format!("is larger than {MAX_FILE_BYTES} bytes"),
            "a configuration of this size is a mistake",
        ));
    }
    plain_text::from_file(bytes).map_err(|error| {
        let line = match error {
            NotText::Utf16 => None,
            NotText::Other { line } => u32::try_from(line).ok(),
        };
        Finding { line, ..finding(error.to_string(), "save it as UTF-8") }
    })
}
