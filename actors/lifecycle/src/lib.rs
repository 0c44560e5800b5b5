//! The lifecycle of capabilities: a registry that checks contracts, six phases that none can skip, supervision, and a stop
//! in exactly the reverse order of the start.
//!
//! The principle: *a port handle is proof that its provider started.* There is no lookup after the start, and no way to
//! hold a port before it; misuse does not compile.

#[cfg(feature = "realization")]
mod capability;
#[cfg(feature = "realization")]
mod port_table;
#[cfg(feature = "realization")]
mod requires;
#[cfg(feature = "realization")]
mod start_context;

#[cfg(feature = "realization")]
pub use capability::{Capability, Deadline, InitializeError, Running, StartError, StopError, Wired};
#[cfg(feature = "realization")]
pub use port_table::{MissingPort, PortTable};
#[cfg(feature = "realization")]
pub use requires::{Provides, Requires};
#[cfg(feature = "realization")]
pub use start_context::StartContext;

#[cfg(feature = "realization")]
#[doc(hidden)]
pub use octopussy_core as __core;
