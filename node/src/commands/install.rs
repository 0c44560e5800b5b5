//! `octopussy install`: prepare a home directory. Repeating it changes nothing that is there.

use crate::cli::Context;
use crate::failure::{Exit, Failure};
use crate::host;
use crate::output::{DIM, GOOD, paint};
use crate::ownership;
use clap::{Args, ValueEnum};
use octopussy_config::Profile;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::Duration;

/// Where Ollama listens unless told otherwise.
const OLLAMA: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 11_434);
/// How long a program on this machine may take to answer.
const LOCAL_PROBE: Duration = Duration::from_millis(400);

/// How to install.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// Who thinks for agents that name no provider; without it, what is found on this machine is offered
    #[arg(long, value_enum)]
    provider: Option<ProviderChoice>,
    /// The kind of machine: SBC, LOCAL, DOCKER or KUBERNETES
    #[arg(long, value_parser = |text: &str| text.parse::<Profile>())]
    profile: Option<Profile>,
    /// Take what is found on this machine without asking
    #[arg(long, short)]
    yes: bool,
}

impl InstallArgs {
    /// The way `start` installs: nothing asked, nothing assumed.
    pub(crate) const fn unattended() -> Self {
        Self { provider: Some(ProviderChoice::Builtin), profile: None, yes: true }
    }
}

/// A provider that can be set up in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderChoice {
    /// Answers from the documents, word for word: no model, no network, no key
    Builtin,
    /// Ollama on this machine
    Ollama,
    /// OpenAI, with the key in OPENAI_API_KEY or in the secret openai.api_key
    Openai,
    /// Anthropic, with the key in ANTHROPIC_API_KEY or in the secret anthropic.api_key
    Anthropic,
}

impl ProviderChoice {
    const fn name(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Ollama => "ollama",
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    const fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::Builtin | Self::Ollama => None,
            Self::Openai => Some("OPENAI_API_KEY"),
            Self::Anthropic => Some("ANTHROPIC_API_KEY"),
        }
    }
}

/// What an installation did.
#[derive(Debug)]
pub(crate) struct Installed {
    /// Whether there was nothing to do.
    already: bool,
    /// Who thinks.
    provider: Option<ProviderChoice>,
}

/// Installs and says so.
pub(crate) async fn run(args: InstallArgs, context: &Context) -> Result<(), Failure> {
    let installed = prepare(&args, context).await?;
    if !installed.already {
        Box::pin(host::bootstrap(context.home.path(), context.port_offset)).await?;
    }
    let out = context.out;
    let home = context.home.path().display();
    if installed.already {
        out.line(format_args!("{home} is prepared already; nothing was changed."));
        if args.provider.is_some() || args.profile.is_some() {
            out.note(format_args!(
                "--provider and --profile count for a new config.yaml only: edit {}.",
                context.home.config().display()
            ));
        }
    } else {
        out.line(format_args!("{} {home} is prepared", paint(GOOD, "✓")));
        out.line(paint(
            DIM,
            "  config.yaml, encrypted secrets, certificates of its own authority, credentials.json (yours alone)",
        ));
        out.line("Next: octopussy start");
    }
    out.document(&json!({
        "home": context.home.path().to_string_lossy(), "already_installed": installed.already,
        "provider": installed.provider.map(ProviderChoice::name),
    }));
    Ok(())
}

/// Makes the home directory and its configuration; everything else is made by whoever first runs the node in it.
pub(crate) async fn prepare(args: &InstallArgs, context: &Context) -> Result<Installed, Failure> {
    let home = &context.home;
    ownership::check(home.path())?;
    if home.is_installed() {
        return Ok(Installed { already: true, provider: None });
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(home.path()).map_err(|error| {
        Failure::io("cannot create", home.path(), &error).hint("choose another place with --home DIR")
    })?;
    let mut provider = None;
    if !home.config().exists() {
        let chosen = choose(args, context).await?;
        let mut text = octopussy_config::default_config_yaml(args.profile.unwrap_or_default());
        let model = if chosen == ProviderChoice::Ollama { ollama_model().await } else { None };
        text.push_str(&router_section(chosen, model.as_deref()));
        write_new(&home.config(), &text)?;
        provider = Some(chosen);
        remind_of_key(chosen, context);
    }
    Ok(Installed { already: false, provider })
}

/// The provider: named, otherwise found and agreed to, otherwise the built-in one.
async fn choose(args: &InstallArgs, context: &Context) -> Result<ProviderChoice, Failure> {
    if let Some(provider) = args.provider {
        if provider == ProviderChoice::Ollama && !ollama_answers().await {
            context.out.note("Ollama does not answer on 127.0.0.1:11434 now; agents wait for it until it does.");
        }
        return Ok(provider);
    }
    let Some(found) = detect().await else { return Ok(ProviderChoice::Builtin) };
    let interactive = !context.out.is_json() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if args.yes || (interactive && agrees(found)?) {
        return Ok(found);
    }
    if !interactive {
        context.out.note(format_args!(
            "{0} was found; the built-in provider stays the default. octopussy install --provider {0} would take it.",
            found.name()
        ));
    }
    Ok(ProviderChoice::Builtin)
}

async fn detect() -> Option<ProviderChoice> {
    if ollama_answers().await {
        return Some(ProviderChoice::Ollama);
    }
    [ProviderChoice::Anthropic, ProviderChoice::Openai]
        .into_iter()
        .find(|choice| choice.key_variable().and_then(std::env::var_os).is_some_and(|key| !key.is_empty()))
}

async fn ollama_answers() -> bool {
    let connect = tokio::net::TcpStream::connect(OLLAMA);
    matches!(tokio::time::timeout(LOCAL_PROBE, connect).await, Ok(Ok(_)))
}

fn agrees(found: ProviderChoice) -> Result<bool, Failure> {
    let _ =
        write!(anstream::stderr(), "{} was found on this machine. Shall agents think with it? [Y/n] ", found.name());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|error| {
        Failure::new(format!("the answer cannot be read: {error}")).exit(Exit::Usage).hint("use --yes or --provider")
    })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes"))
}

fn remind_of_key(provider: ProviderChoice, context: &Context) {
    if let Some(variable) = provider.key_variable() {
        let name = provider.name();
        context.out.note(format_args!(
            "After the start, store the key: printenv {variable} | octopussy secret set {name}.api_key"
        ));
    }
}

/// What `config.yaml` says about models; nothing for the built-in provider.
fn router_section(provider: ProviderChoice, ollama_model: Option<&str>) -> String {
    let (text, model) = match provider {
        ProviderChoice::Builtin => return String::new(),
        ProviderChoice::Ollama => (include_str!("install/ollama.yaml"), ollama_model.unwrap_or("llama3.2")),
        ProviderChoice::Openai => (include_str!("install/openai.yaml"), "gpt-5-mini"),
        ProviderChoice::Anthropic => (include_str!("install/anthropic.yaml"), "claude-sonnet-4-5"),
    };
    // A model's name comes from another program; as a JSON string it is a YAML string whatever it holds.
    text.replace("MODEL", &serde_json::Value::from(model).to_string())
}

/// The first model that Ollama has.
async fn ollama_model() -> Option<String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(LOCAL_PROBE * 2)
        .tls_backend_preconfigured(no_tls()?)
        .build()
        .ok()?;
    let answer = client.get(format!("http://{OLLAMA}/api/tags")).send().await.ok()?;
    let body: serde_json::Value = answer.json().await.ok()?;
    body["models"][0]["name"].as_str().map(str::to_owned)
}

/// Ollama is asked in plain HTTP on this machine; nobody's certificate would be trusted.
fn no_tls() -> Option<rustls::ClientConfig> {
    let builder = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// Writes a file that must not exist yet, whole or not at all.
fn write_new(path: &std::path::Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io("cannot write", path, &error);
    let draft = path.with_extension("yaml.new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_makes_a_configuration_that_names_it() {
        for choice in [ProviderChoice::Ollama, ProviderChoice::Openai, ProviderChoice::Anthropic] {
            let text =
                octopussy_config::default_config_yaml(Profile::default()) + &router_section(choice, Some("a: \"b"));
            let tree = octopussy_config::parse_yaml("config.yaml", &text).unwrap().to_value();
            assert_eq!(tree["llm_router"]["default_provider"], choice.name());
            let model = tree["llm_router"]["providers"][choice.name()]["model"].as_str().unwrap();
            assert!(!model.is_empty() && model != "MODEL");
        }
        assert_eq!(router_section(ProviderChoice::Builtin, None), "");
    }

    #[test]
    fn a_file_is_written_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        write_new(&path, "profile: LOCAL\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "profile: LOCAL\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
