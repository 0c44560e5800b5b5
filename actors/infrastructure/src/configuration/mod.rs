//! Keeps the node's configuration current: watches its files, takes over what validates, tells whoever listens.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::ConfigurationHandle;
#[cfg(feature = "realization")]
pub use capability::{ConfigurationCapability, ConfigurationRunning};
pub use contract::{CONTRACT, ConfigurationConfig, ConfigurationSection, Loader};
#[cfg(feature = "realization")]
pub use contract::{ConfigurationNeeds, ConfigurationProvides};
