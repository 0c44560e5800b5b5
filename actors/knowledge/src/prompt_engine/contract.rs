//! What the prompt engine promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use serde::Deserialize;
use std::path::PathBuf;

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::PromptEngine,
    provides: &[PortId::Prompt],
    requires: &[],
    protocols: &[
        "A template that does not parse, or names an unknown variable, is refused at the start with its file and line.",
        "The same input renders to the same request.",
        "What is put in for a variable is never read as a template.",
    ],
    envelope: Envelope::initial(),
};

/// The section `prompt_engine`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptEngineConfig {
    /// The directory whose `<name>.md` take the place of the shipped templates; absent: `templates` in the node's home. One that
    /// is named must exist.
    pub templates: Option<PathBuf>,
}

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// The prompt engine needs nobody.
    pub struct PromptEngineNeeds {}
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What the prompt engine provides.
    pub struct PromptEngineProvides { pub prompt: dyn octopussy_core::ports::PromptPort }
}
