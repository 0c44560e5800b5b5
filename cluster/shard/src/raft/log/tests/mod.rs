//! Tests of the logs, on real files in temporary directories.

mod conformance;
mod crashes;
mod faults;
mod lives;
mod machine;
mod memory;
mod recovery;
mod sharing;
mod speed;
mod support;
mod writes;
