//! How the state of a node's groups is kept.

use octopussy_core::ids::NodeId;
use octopussy_store::Engine;
use std::path::PathBuf;
use std::time::Duration;

/// How the state of a node's groups is kept.
#[derive(Debug, Clone)]
pub(crate) struct StateConfig {
    /// The data directory: `state.redb` and `snapshots/` lie in it.
    pub(crate) dir: PathBuf,
    /// The storage engine.
    pub(crate) engine: Engine,
    /// The state store's cache, in bytes.
    pub(crate) cache_bytes: usize,
    /// How often changed state goes to the disk; the log holds it until then.
    pub(crate) flush_interval: Duration,
    /// This node: only its own activations make it the leader of a shard.
    pub(crate) node: NodeId,
}
