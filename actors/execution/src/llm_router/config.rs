//! The section `llm_router`.

use super::essence::{Address, MEMBERS, Permission};
use octopussy_core::ports::SecretName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The name of the embedded provider.
pub const BUILTIN: &str = "builtin";
/// The name of the embedded model.
pub const EXTRACTIVE: &str = "extractive";

/// A provider's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// The chat completions of OpenAI, spoken by many.
    #[default]
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google Gemini.
    Gemini,
    /// Ollama, by its own protocol.
    Ollama,
    /// Azure OpenAI, by its v1 endpoint.
    Azure,
    /// LM Studio.
    LmStudio,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// LiteLLM.
    LiteLlm,
}

impl ProviderKind {
    /// The name used in configuration and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Azure => "azure",
            Self::LmStudio => "lmstudio",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::LiteLlm => "litellm",
        }
    }

    /// Where it answers unless configured otherwise; `None`: there is no usual place.
    #[must_use]
    pub const fn usual_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1/"),
            Self::Anthropic => Some("https://api.anthropic.com/v1/"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta/"),
            Self::Ollama => Some("http://127.0.0.1:11434/"),
            Self::Azure => None,
            Self::LmStudio => Some("http://127.0.0.1:1234/v1/"),
            Self::Vllm => Some("http://127.0.0.1:8000/v1/"),
            Self::Sglang => Some("http://127.0.0.1:30000/v1/"),
            Self::LiteLlm => Some("http://127.0.0.1:4000/v1/"),
        }
    }

    /// The path of the protocol below the host, for an address that names none.
    #[must_use]
    pub const fn usual_path(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Anthropic | Self::LmStudio | Self::Vllm | Self::Sglang | Self::LiteLlm => "v1/",
            Self::Gemini => "v1beta/",
            Self::Azure => "openai/v1/",
            Self::Ollama => "",
        }
    }
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// Its protocol.
    pub kind: ProviderKind,
    /// Where it answers; absent: the usual place of its kind.
    pub url: Option<String>,
    /// Its default model.
    pub model: String,
    /// The secret that holds its key.
    pub api_key_secret: Option<String>,
    /// The same as a reference, `${secret:NAME}`. A key itself is refused: configuration files are no place for it.
    pub api_key: Option<String>,
    /// The longest a call may take, in seconds; the shorter of this and the agent's bound holds.
    pub timeout_seconds: Option<u32>,
    /// Whether it runs on machines of our own; absent: whether its address is this machine.
    pub local: Option<bool>,
    /// US dollars per million tokens sent, where the routing table does not know.
    pub cost_in: f64,
    /// US dollars per million tokens answered, where the routing table does not know.
    pub cost_out: f64,
    /// Whether it may be asked.
    pub enabled: bool,
    /// Whether nodes that `lend_to` names may use it, where it runs on machines of our own.
    pub lend: bool,
    /// Whether its key may travel in clear text over networks that others are on.
    pub insecure: bool,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self {
            kind: ProviderKind::default(),
            url: None,
            model: String::new(),
            api_key_secret: None,
            api_key: None,
            timeout_seconds: None,
            local: None,
            cost_in: 0.0,
            cost_out: 0.0,
            enabled: true,
            lend: true,
            insecure: false,
        }
    }
}

impl ProviderConfig {
    /// The secret that holds the key.
    ///
    /// # Errors
    /// What is wrong with the reference, in words.
    pub fn secret(&self) -> Result<Option<SecretName>, String> {
        let reference = match (&self.api_key_secret, &self.api_key) {
            (Some(_), Some(_)) => return Err("api_key and api_key_secret say the same: keep one".to_owned()),
            (Some(name), None) => name.as_str(),
            (None, Some(reference)) => reference
                .strip_prefix("${secret:")
                .and_then(|rest| rest.strip_suffix('}'))
                .ok_or("api_key must be a reference such as ${secret:provider.api_key}; put the key into a secret")?,
            (None, None) => return Ok(None),
        };
        SecretName::new(reference).map(Some).map_err(|error| error.to_string())
    }

    /// Where it answers, ending in `/`.
    ///
    /// # Errors
    /// What is wrong with the address, in words.
    pub fn base_url(&self) -> Result<String, String> {
        let url = match (&self.url, self.kind.usual_url()) {
            (Some(url), _) => url.trim(),
            (None, Some(usual)) => usual,
            (None, None) => return Err(format!("url is missing; {} has no usual one", self.kind.name())),
        };
        let address = Address::parse(url)?;
        if self.secret()?.is_some() && !address.encrypted && !address.is_private() && !self.insecure {
            return Err(format!(
                "the key would travel to '{url}' in clear text: use https://, or set `insecure: true` when nobody else is on the way"
            ));
        }
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let has_path = rest.trim_end_matches('/').contains('/');
        let path = if has_path { "" } else { self.kind.usual_path() };
        Ok(format!("{}/{path}", url.trim_end_matches('/')))
    }

    /// Whether it runs on machines of our own.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let here = || {
            let url = self.base_url().unwrap_or_default();
            Address::parse(&url).is_ok_and(|address| address.is_this_machine())
        };
        self.local.unwrap_or_else(here)
    }
}

/// The section `llm_router`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmRouterConfig {
    /// Who answers for agents that name no provider; absent: whoever the agent's strategy prefers among the enabled ones, and the
    /// embedded provider when there is none.
    #[serde(alias = "default")]
    pub default_provider: Option<String>,
    /// The model of the default provider; absent: the provider's own default.
    pub default_model: Option<String>,
    /// The providers, by name.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// A file with prices and qualities of models, relative to the node's home; absent: the shipped table.
    pub routing_table: Option<PathBuf>,
    /// Whose models may be used where none here fits, the prompts and documents going there: `members` for all full members, a node
    /// by its name or id, or one provider of these as `PROVIDER@NODE`. A guest has to be named. Empty: nobody's.
    pub borrow_from: Vec<String>,
    /// Who may use the models of this machine, named as for `borrow_from`. Empty: nobody.
    pub lend_to: Vec<String>,
    /// How often idle providers are asked whether they are there, in seconds; 0: never.
    pub health_interval_seconds: u32,
}

impl Default for LlmRouterConfig {
    fn default() -> Self {
        Self {
            default_provider: None,
            default_model: None,
            providers: BTreeMap::new(),
            routing_table: None,
            borrow_from: vec![MEMBERS.to_owned()],
            lend_to: vec![MEMBERS.to_owned()],
            health_interval_seconds: 30,
        }
    }
}

impl LlmRouterConfig {
    /// What does not fit together, with the key it stands at.
    ///
    /// # Errors
    /// The first finding.
    pub fn check(&self) -> Result<(), String> {
        for (name, provider) in &self.providers {
            let at = |detail: String| format!("llm_router.providers.{name}: {detail}");
            if name == BUILTIN {
                return Err(at("the name is taken by the embedded provider".to_owned()));
            }
            provider.base_url().map_err(at)?;
            provider.secret().map_err(at)?;
            if ![provider.cost_in, provider.cost_out].iter().all(|cost| cost.is_finite() && *cost >= 0.0) {
                return Err(at("cost_in and cost_out must be 0 or more".to_owned()));
            }
            if provider.timeout_seconds == Some(0) {
                return Err(at("timeout_seconds must be 1 or more".to_owned()));
            }
        }
        for (key, permissions) in [("borrow_from", &self.borrow_from), ("lend_to", &self.lend_to)] {
            for text in permissions {
                Permission::parse(text).map_err(|error| format!("llm_router.{key}: {error}"))?;
            }
        }
        match &self.default_provider {
            Some(name) if name != BUILTIN && !self.providers.contains_key(name) => {
                let known: Vec<&str> = self.providers.keys().map(String::as_str).chain([BUILTIN]).collect();
                Err(format!(
                    "llm_router.default_provider: '{name}' is not configured (there are: {})",
                    known.join(", ")
                ))
            }
            Some(_) | None => Ok(()),
        }
    }
}
