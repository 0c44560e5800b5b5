//! Tests of the node as a whole, on real files in temporary directories.

mod backup;
mod blobs;
mod clocks;
pub(crate) mod clusters;
mod crashes;
mod disk;
mod failover;
mod faults;
mod growth;
mod losses;
mod lost_leader;
mod moves;
mod opening;
mod past_snapshot;
mod promise;
mod recovery;
mod replicas;
mod revival;
pub(crate) mod sim;
mod sizes;
mod speed;
mod stuck;
pub(crate) mod support;
mod texts;
mod unwritten;
mod way;
