//! Chooses the model that an agent thinks with, asks it, and goes on to the next when it cannot answer.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod config;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::LlmRouterHandle;
#[cfg(feature = "realization")]
pub use capability::{LlmRouterCapability, LlmRouterRunning};
pub use config::{BUILTIN, EXTRACTIVE, LlmRouterConfig, ProviderConfig, ProviderKind};
pub use contract::CONTRACT;
#[cfg(feature = "realization")]
pub use contract::{LlmRouterNeeds, LlmRouterProvides};
#[cfg(all(feature = "realization", any(test, fuzzing)))]
pub use realization::fuzz;
