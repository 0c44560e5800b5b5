//! What Secrets promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use serde::Deserialize;

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::Secrets,
    provides: &[PortId::Secrets],
    requires: &[],
    protocols: &[
        "A value that `set` or `rotate` has returned for survives a power cut.",
        "A rotation is announced after the new value can be read.",
        "Values never appear in logs, errors or listings.",
    ],
    envelope: Envelope::initial(),
};

/// Where secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretsBackend {
    /// A file encrypted with AES-256-GCM, and its key file beside it.
    #[default]
    File,
}

/// The section `secrets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// Where secrets are kept.
    pub backend: SecretsBackend,
}

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// Secrets needs nobody.
    pub struct SecretsNeeds {}
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What Secrets provides.
    pub struct SecretsProvides { pub secrets: dyn octopussy_core::ports::SecretsPort }
}
