//! The agent factory capability \[18\]: from an agent's directory to an agent.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;

#[cfg(feature = "realization")]
pub use adaptation::AgentFactoryHandle;
#[cfg(feature = "realization")]
pub use capability::{AgentFactoryCapability, AgentFactoryRunning};
pub use contract::CONTRACT;
#[cfg(feature = "realization")]
pub use contract::{AgentFactoryProvides, AgentFactoryRequires};
pub use essence::AgentFactoryConfig;
