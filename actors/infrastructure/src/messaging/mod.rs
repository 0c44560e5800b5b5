//! Carries tasks to the ledger, control messages to agents, news to watchers, and minds the dead-letter queue.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::MessagingHandle;
#[cfg(feature = "realization")]
pub use capability::{MessagingCapability, MessagingRunning};
pub use contract::{CONTRACT, MessagingConfig};
#[cfg(feature = "realization")]
pub use contract::{MessagingNeeds, MessagingProvides};
#[cfg(all(feature = "realization", any(test, fuzzing)))]
pub use realization::fuzz;

#[cfg(feature = "realization")]
#[cfg(test)]
mod cluster_tests;
