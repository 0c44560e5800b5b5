//! Raft's messages over the mesh: votes and coalesced heartbeats on one lane, entries on another, snapshots on streams.

mod append;
mod astray;
mod client;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod heartbeats;
mod installs;
mod introduction;
mod parts;
mod peer;
mod receive_snapshot;
mod send_snapshot;
mod serve;
mod wire;

pub(crate) use client::{NetworkFactory, Wires};
pub(crate) use receive_snapshot::SnapshotReceiver;
pub(crate) use serve::{AppendLane, VoteLane};

#[cfg(test)]
#[path = "heard_tests.rs"]
mod tests;
