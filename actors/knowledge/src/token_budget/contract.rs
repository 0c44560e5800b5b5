//! What the token budget promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use serde::Deserialize;

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::TokenBudget,
    provides: &[PortId::TokenBudget],
    requires: &[PortId::Ledger, PortId::LedShards],
    protocols: &[
        "An agent may not spend as soon as the limit of any period is reached.",
        "What was recorded survives a crash: it is in the ledger.",
        "Setting the clock back never buys budget.",
    ],
    envelope: Envelope::initial(),
};

/// The section `token_budget`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenBudgetConfig {
    /// Whether limits hold; when not, spending is still recorded and reported.
    pub enforce: bool,
}

impl Default for TokenBudgetConfig {
    fn default() -> Self {
        Self { enforce: true }
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// What the token budget takes.
    pub struct TokenBudgetNeeds {
        pub ledger: dyn octopussy_core::ports::LedgerPort,
        pub led: dyn octopussy_core::ports::LedShardsPort,
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What the token budget provides.
    pub struct TokenBudgetProvides { pub budget: dyn octopussy_core::ports::TokenBudgetPort }
}
