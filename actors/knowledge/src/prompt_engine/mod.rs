//! Writes what models are told: templates for each purpose of a call, and the passages that fit a question.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;
#[cfg(all(test, feature = "realization"))]
mod tests;

#[cfg(feature = "realization")]
pub use adaptation::PromptHandle;
#[cfg(feature = "realization")]
pub use capability::{PromptEngineCapability, PromptEngineRunning};
pub use contract::{CONTRACT, PromptEngineConfig};
#[cfg(feature = "realization")]
pub use contract::{PromptEngineNeeds, PromptEngineProvides};
