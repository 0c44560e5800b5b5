//! Tests of the node as a whole, on real files in temporary directories.

mod blobs;
mod clusters;
mod crashes;
mod failover;
mod faults;
mod growth;
mod opening;
pub(crate) mod sim;
mod speed;
mod support;
mod way;
