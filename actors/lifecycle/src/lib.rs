//! The lifecycle of capabilities: a registry that checks contracts, six phases that none can skip, supervision, and a stop
//! in exactly the reverse order of the start.
//!
//! The principle: *a port handle is proof that its provider started.* There is no lookup after the start, and no way to
//! hold a port before it; misuse does not compile.
//!
//! [`Registry<Open>`](Registry) → `register` → `seal` → `Registry<Sealed>` → `start_all` → [`System`] → `stop_all` →
//! [`ShutdownReport`]: each consumes what comes before it. What is decided (order, phases, shares of a deadline) is pure and builds
//! without the feature `realization`; what is done lies behind it.
//!
//! A capability that dies is reported by [`System::next_failure`] and not restarted here: its dependants hold handles to
//! the dead one, so the process ends and whoever supervises processes (systemd, Kubernetes) starts it again, with backoff.

pub mod essence;
#[cfg(feature = "realization")]
mod realization;

pub use essence::{Phase, RegistryError};
#[cfg(feature = "realization")]
pub use realization::*;

#[cfg(feature = "realization")]
#[doc(hidden)]
pub use octopussy_core as __core;
