//! The node as a process of this machine: finding it, starting it in the background, telling it to stop.

mod daemon;
mod node_file;
mod pid;

pub(crate) use daemon::{Daemon, StartError};
pub(crate) use node_file::{ClusterFacts, NodeFile};
pub(crate) use pid::{start_ticks, terminate};
