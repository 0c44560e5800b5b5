//! Reads the templates that an operator has put in place of the shipped ones.

use crate::prompt_engine::essence::{Library, TEMPLATES};
use octopussy_core::plain_text;
use octopussy_core::ports::PromptError;
use std::path::{Path, PathBuf};

/// The templates could not be loaded; nothing was.
#[derive(Debug, thiserror::Error)]
pub(in crate::prompt_engine) enum LoadError {
    /// A file or the directory cannot be read.
    #[error("{path} cannot be read")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file's name is not that of a template.
    #[error("{path} is not a prompt template: there are {}", TEMPLATES.map(|(name, _)| format!("{name}.md")).join(", "))]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// A file does not parse.
    #[error("{path}: {source}")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong, with the line.
        source: PromptError,
    },
}

/// The shipped templates with those of `directory` in their place. A directory that is not `required` may be absent.
pub(in crate::prompt_engine) fn load(directory: &Path, required: bool) -> Result<Library, LoadError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| LoadError::Io { path, source }
    };
    let mut texts = Vec::new();
    match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {}
        Err(error) => return Err(io(directory)(error)),
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(io(directory))?.path();
                if path.extension().is_some_and(|extension| extension == "md") {
                    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                    let text = plain_text::unmarked(std::fs::read_to_string(&path).map_err(io(&path))?);
                    texts.push((path, name, text));
                }
            }
        }
    }
    for (path, name, text) in &texts {
        Library::new([(name.as_str(), text.as_str())]).map_err(|error| match error {
            PromptError::Unknown(_) => LoadError::Unknown { path: path.clone() },
            source @ (PromptError::Syntax { .. } | PromptError::UnknownVariable { .. }) => {
                LoadError::Invalid { path: path.clone(), source }
            }
        })?;
    }
    let all = texts.iter().map(|(_, name, text)| (name.as_str(), text.as_str()));
    Library::new(all).map_err(|source| LoadError::Invalid { path: directory.to_owned(), source })
}
