//! The lifecycle in motion: capabilities are registered, checked, started, watched over and stopped.

mod capability;
mod clock;
mod erased;
mod guard;
mod host;
mod port_table;
mod registry;
mod requires;
mod shutdown;
mod stand_in;
mod start;
mod start_all_error;
mod start_context;
mod status_board;
mod system;
mod unit;

pub use capability::{Capability, Deadline, InitializeError, Running, StartError, StopError, Wired};
pub use clock::SystemClock;
pub use host::{Host, Limits};
pub use port_table::{MissingPort, PortTable};
pub use registry::{Open, Registry, Sealed};
pub use requires::{Provides, Requires};
pub use shutdown::{Ending, ShutdownReport, Stopped};
pub use start_all_error::{Cause, StartAllError};
pub use start_context::StartContext;
pub use status_board::StatusBoard;
pub use system::System;
pub use unit::Failure;
