//! The actor capability \[16\]: runs agents as virtual actors, activated by work and put to sleep when idle.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::ActorHandle;
#[cfg(feature = "realization")]
pub use capability::{ActorCapability, ActorRunning};
pub use contract::CONTRACT;
#[cfg(feature = "realization")]
pub use contract::{ActorProvides, ActorRequires};
pub use essence::ActorConfig;
