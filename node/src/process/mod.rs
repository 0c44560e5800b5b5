//! The node as a process of this machine: its limits, finding it, starting it in the background, telling it to stop.

mod daemon;
mod limits;
mod log_bound;
mod node_file;
mod pid;

pub(crate) use daemon::{Daemon, StartError};
pub(crate) use limits::{connections, hide_memory, keep_to_oneself, open_files};
pub(crate) use log_bound::keep_log_bounded;
pub(crate) use node_file::{ClusterFacts, NodeFile};
pub(crate) use pid::{start_ticks, terminate};
