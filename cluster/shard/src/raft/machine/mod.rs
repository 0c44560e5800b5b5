//! What the groups have agreed on: the state store, the machines over it, and snapshots of them.

mod config;
mod control;
mod host;
mod shard;
mod snapshot;

pub(crate) use config::StateConfig;
pub(crate) use control::ControlStateMachine;
pub(crate) use host::{Closed, StateHost};
pub(crate) use shard::ShardMachine;
pub(crate) use snapshot::{SnapshotError, SnapshotFile, SnapshotReader, SnapshotWriter};
