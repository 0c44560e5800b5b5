//! Shards: Raft groups over the mesh, the log, the state, the ledger of the cluster from any node.
//!
//! A command's way: [`LedgerPort::propose`](octopussy_core::ports::LedgerPort::propose) puts it in line before its shard's
//! group, here when this node leads the shard, otherwise at the node that does; the group's **batcher** makes one log entry of everything in line;
//! the one **log writer** of the node appends the entries of all groups with one fsync, while they travel to the other
//! replicas; what a quorum has is committed, applied in memory and answered; the **flusher** brings what has changed into the state store
//! about once a second. A restart reads the state and applies the log's tail again.

mod backup;
mod blobs;
mod config;
mod error;
mod failure;
mod forward;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod groups;
mod metrics;
mod raft;
mod routing;
mod stores;
mod work;

#[cfg(test)]
mod tests;

pub use backup::{BackupError, GroupImage, IMAGE_FORMAT, RestoreError, restore};
pub use blobs::FileBlobs;
pub use config::{ShardHostConfig, Timings};
pub use error::{ControlError, OpenError, RecoverError};
pub use groups::{ClockReport, MAX_SKEW, OwnLosses, QUEUE_CAPACITY, Recovered, ShardHost};
pub use metrics::{GroupMetrics, StepDown, UnendedUse};
pub use octopussy_store::Engine;
pub use raft::machine::ReplicaDigest;
