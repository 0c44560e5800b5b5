//! What the groups have agreed on: the state store, the machines over it, and snapshots of them.

mod backup;
mod config;
mod control;
mod control_cell;
mod digest;
mod dirty;
mod flush_signal;
mod flusher;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod group_record;
mod host;
mod install;
mod keys;
mod leading;
mod listing;
mod named_blobs;
mod opening;
mod reads;
mod records;
mod rewind;
mod shard;
mod shard_cell;
mod shared;
mod snapshot;
mod upkeep;
mod view;
mod waiters;

#[cfg(test)]
mod tests;

pub(crate) use config::StateConfig;
pub(crate) use control::ControlStateMachine;
pub use digest::ReplicaDigest;
pub(crate) use host::StateHost;
pub(crate) use shard::ShardMachine;
pub(crate) use snapshot::{SnapshotError, SnapshotFile, SnapshotWriter};
