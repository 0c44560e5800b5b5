//! What Security promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use serde::Deserialize;

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::Security,
    provides: &[PortId::Security],
    requires: &[PortId::Secrets, PortId::Observability, PortId::ApiTokens],
    protocols: &[
        "What no role is named for is denied; every denial is audited.",
        "Keys rotate without a gap: what the key before has signed still verifies.",
        "A token that has expired or was revoked stops counting at that moment, remembered or not.",
        "The scan sees through spacing, look-alike letters, leetspeak and base64.",
    ],
    envelope: Envelope::initial(),
};

/// The section `security`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityConfig {
    /// Who issues tokens; those of others do not count.
    pub issuer: String,
    /// For whom tokens are.
    pub audience: String,
    /// How many verified tokens are remembered (16 to 1 048 576).
    pub token_cache: usize,
    /// Whether prompts are scanned for injections.
    pub scan_prompts: bool,
    /// Whether secrets are blanked in answers.
    pub redact_output: bool,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self {
            issuer: "octopussy".to_owned(),
            audience: "octopussy".to_owned(),
            token_cache: 1024,
            scan_prompts: true,
            redact_output: true,
        }
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// What Security takes.
    pub struct SecurityNeeds {
        pub secrets: dyn octopussy_core::ports::SecretsPort,
        pub observability: dyn octopussy_core::ports::ObservabilityPort,
        pub api_tokens: dyn octopussy_core::ports::ApiTokensPort,
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What Security provides.
    pub struct SecurityProvides { pub security: dyn octopussy_core::ports::SecurityPort }
}
