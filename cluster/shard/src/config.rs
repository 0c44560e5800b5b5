//! How a node keeps its groups.

use octopussy_core::ids::NodeId;
use octopussy_store::Engine;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// How soon a lost leader is noticed. A shorter time means a faster failover and more traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// How often a leader says that it is there.
    pub heartbeat: Duration,
    /// The shortest time without a word of the leader after which a replica stands for election. Longer than `heartbeat`.
    pub election_min: Duration,
    /// The longest such time, and the lease of a leader: it falls silent when a quorum has not answered for so long.
    /// Longer than `election_min`.
    pub election_max: Duration,
}

impl Timings {
    /// For a home or office network.
    pub const DEFAULT: Self = Self::from_millis(200, 600, 1_200);
    /// For one machine or one rack.
    pub const FAST: Self = Self::from_millis(100, 300, 600);
    /// For nodes in different places.
    pub const WAN: Self = Self::from_millis(500, 1_500, 3_000);

    const fn from_millis(heartbeat: u64, min: u64, max: u64) -> Self {
        Self {
            heartbeat: Duration::from_millis(heartbeat),
            election_min: Duration::from_millis(min),
            election_max: Duration::from_millis(max),
        }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a node keeps its groups.
#[derive(Debug, Clone)]
pub struct ShardHostConfig {
    /// The data directory: the log, the state, snapshots and `blobs/` lie in it.
    pub dir: PathBuf,
    /// The storage engine.
    pub engine: Engine,
    /// The cache of the state store in MiB, bounded to 1–1024. The log has a small one of its own.
    pub cache_mb: usize,
    /// How soon a lost leader is noticed.
    pub timings: Timings,
    /// For how long ended tasks are kept. Dead letters have bounds of their own.
    pub retention: Duration,
    /// How many ended tasks are kept at most, over all shards, beside those of the last 24 hours, whose idempotency keys are
    /// remembered; the oldest go first.
    pub max_ended: u64,
    /// For how long dead letters are kept.
    pub dead_retention: Duration,
    /// How many dead letters are kept at most, over all shards; the earliest submitted go first.
    pub max_dead: u64,
    /// How many bytes the tasks that have not ended may take in memory on this node, of all shards that have a replica here; beyond
    /// it the shards led here take no new ones.
    pub max_unended_bytes: u64,
    /// How many bytes the texts of waiting tasks may take on this node's disk; like `max_unended_bytes`.
    pub max_waiting_bytes: u64,
    /// Running tasks that are older than this when their shard gets a new leader are dead-lettered instead of being run
    /// again.
    pub max_recovery_age: Duration,
    /// How often changed state goes to the disk; the log holds it until then.
    pub flush_interval: Duration,
    /// How often expired tasks are looked for while there are tasks.
    pub tick_interval: Duration,
    /// How often old history is looked for, once the first look after a start is done.
    pub retention_interval: Duration,
    /// How long a member may be gone before its replicas are replaced.
    pub replace_after: Duration,
    /// How long a planned move of a leadership waits for what runs in the shard to come to the end of a step. Longer than
    /// most calls of a model take; whatever still runs then is taken up by the next leader.
    pub transfer_patience: Duration,
    /// Whether what lies in `dir` is not what this node wrote last: it was restored from a copy. Its replicas count as other ones then,
    /// which neither vote nor are counted until their leaders let them in again. The node's boot epoch must be beyond every one
    /// that the cluster has seen of it.
    pub restored: bool,
    /// For how long a group may commit nothing, while entries wait, before that is told. After three times as long its leader gives
    /// it away.
    pub stuck_after: Duration,
    /// How long a caller waits for a shard's leader that cannot be reached before it is told so.
    pub patience: Duration,
    /// Whether the groups here may vote and stand for election: the node decides that once it is sure to be the only one of its
    /// identity. Without it they may.
    pub may_vote: Option<watch::Receiver<bool>>,
    /// Members, as those who have let this node in told of them. They count until this node has a copy of the control state.
    pub introduced: BTreeSet<NodeId>,
}

impl ShardHostConfig {
    /// The defaults, for a data directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            dir: dir.into(),
            engine: Engine::default(),
            cache_mb: 32,
            timings: Timings::DEFAULT,
            retention: DAY * 30,
            max_ended: 1_000_000,
            dead_retention: DAY * 90,
            max_dead: 100_000,
            max_unended_bytes: 512 * 1024 * 1024,
            max_waiting_bytes: 4 * 1024 * 1024 * 1024,
            max_recovery_age: DAY,
            flush_interval: Duration::from_secs(1),
            tick_interval: Duration::from_secs(1),
            retention_interval: Duration::from_secs(60 * 60),
            replace_after: Duration::from_secs(5 * 60),
            transfer_patience: Duration::from_secs(120),
            restored: false,
            stuck_after: Duration::from_secs(5),
            patience: Duration::from_secs(5),
            may_vote: None,
            introduced: BTreeSet::new(),
        }
    }

    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_mb.clamp(1, 1024) * 1024 * 1024
    }
}
