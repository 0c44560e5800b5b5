//! Tests of the node as a whole, on real files in temporary directories.

mod blobs;
pub(crate) mod clusters;
mod crashes;
mod disk;
mod failover;
mod faults;
mod growth;
mod lost_leader;
mod opening;
mod past_snapshot;
mod promise;
mod recovery;
mod revival;
pub(crate) mod sim;
mod speed;
pub(crate) mod support;
mod unwritten;
mod way;
