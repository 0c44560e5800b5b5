//! The agent lifecycle capability \[17\]: follows the states and the health of all active agents of this node.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::AgentLifecycleHandle;
#[cfg(feature = "realization")]
pub use capability::{AgentLifecycleCapability, AgentLifecycleRunning};
pub use contract::CONTRACT;
#[cfg(feature = "realization")]
pub use contract::{AgentLifecycleProvides, AgentLifecycleRequires};
pub use essence::AgentLifecycleConfig;
