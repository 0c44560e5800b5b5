//! What Configuration promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use octopussy_core::problem::Finding;
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::Configuration,
    provides: &[PortId::Configuration],
    requires: &[PortId::Secrets],
    protocols: &[
        "A reload takes over everything or nothing.",
        "A change that does not validate is reported and leaves the configuration in force as it was.",
        "Secret references stay references in `section`; `get` resolves them at each call, so that rotation needs no reload.",
    ],
    envelope: Envelope::initial(),
};

/// Reads all sources anew and validates them, or says everything that is wrong. May block; given by the node.
pub type Loader = Arc<dyn Fn() -> Result<Value, Vec<Finding>> + Send + Sync>;

/// The section `configuration`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigurationSection {
    /// Whether the files are watched.
    pub watch: bool,
    /// How long the files have to be quiet before they are read, in milliseconds (10 to 60 000): editors write in several
    /// steps.
    pub settle_ms: u64,
}

impl Default for ConfigurationSection {
    fn default() -> Self {
        Self { watch: true, settle_ms: 300 }
    }
}

/// What the capability is made from.
#[derive(Clone)]
pub struct ConfigurationConfig {
    /// Its own section.
    pub section: ConfigurationSection,
    /// What the node has loaded at its start.
    pub initial: Value,
    /// Reads everything anew.
    pub loader: Loader,
    /// The files whose change means a reload; they need not exist yet.
    pub paths: Vec<PathBuf>,
}

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// What Configuration takes.
    pub struct ConfigurationNeeds { pub secrets: dyn octopussy_core::ports::SecretsPort }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What Configuration provides.
    pub struct ConfigurationProvides { pub configuration: dyn octopussy_core::ports::ConfigurationPort }
}
