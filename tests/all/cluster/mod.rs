//! Clusters of real nodes on loopback: joining, any-node service, crashes, moves.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(clippy::print_stdout, reason = "seeds and skipped tests are told to whoever runs them")]

mod addresses;
mod any_node;
mod authority;
mod crash;
mod disk_full;
mod documents;
mod drain;
mod faults;
mod five;
mod guests;
mod identity;
mod joining;
mod keys;
mod leaving;
mod load;
mod metrics;
mod partition;
mod recovery;
mod rolling;
mod tokens;
mod traces;
mod upgrade;
