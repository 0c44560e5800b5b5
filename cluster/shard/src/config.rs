//! How a node keeps its shards.

use octopussy_core::ids::ShardCount;
use octopussy_store::Engine;
use std::path::PathBuf;
use std::time::Duration;

/// How a node keeps its shards.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// The data directory: `log.redb`, `state.redb` and `blobs/` lie in it.
    pub dir: PathBuf,
    /// The storage engine.
    pub engine: Engine,
    /// The cache of the state store in MiB, bounded to 1–1024. The log has a small one of its own.
    pub cache_mb: usize,
    /// How many shards; fixed when the directory is made.
    pub shards: ShardCount,
    /// For how long ended tasks are kept. Dead letters are kept until somebody replays or discards them.
    pub retention: Duration,
    /// How many ended tasks are kept at most, over all shards; the oldest go first.
    pub max_ended: u64,
    /// Running tasks that are older than this when the node starts are dead-lettered instead of being run again.
    pub max_recovery_age: Duration,
    /// How often changed state goes to the disk; the log holds it until then.
    pub flush_interval: Duration,
    /// How often expired tasks are looked for while there are tasks.
    pub tick_interval: Duration,
}

impl ShardConfig {
    /// The defaults, for a data directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            dir: dir.into(),
            engine: Engine::default(),
            cache_mb: 32,
            shards: ShardCount::DEFAULT,
            retention: DAY * 30,
            max_ended: 1_000_000,
            max_recovery_age: DAY,
            flush_interval: Duration::from_secs(1),
            tick_interval: Duration::from_secs(1),
        }
    }

    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_mb.clamp(1, 1024) * 1024 * 1024
    }
}
