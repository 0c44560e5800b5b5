//! Keeps secrets by name, encrypted at rest, and announces when one changes.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::SecretsHandle;
#[cfg(feature = "realization")]
pub use capability::{SecretsCapability, SecretsRunning};
pub use contract::{CONTRACT, SecretsBackend, SecretsConfig};
#[cfg(feature = "realization")]
pub use contract::{SecretsNeeds, SecretsProvides};
#[cfg(feature = "realization")]
pub use realization::derived_key;
