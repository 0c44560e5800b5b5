//! Tests of the node as a whole, on real files in temporary directories.

mod blobs;
mod clusters;
mod crashes;
mod faults;
mod opening;
mod support;
mod way;
