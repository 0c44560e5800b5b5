//! What is counted of the groups of a node.

use octopussy_core::ids::NodeId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a node ceased to speak for a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepDown {
    /// It had not heard from a majority for too long: its lease ran out.
    Lease,
    /// It gave the leadership away.
    HandOver,
    /// Another leads, or its replica has ended.
    Unseated,
}

impl StepDown {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lease, Self::HandOver, Self::Unseated];

    /// The name used in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::HandOver => "hand_over",
            Self::Unseated => "unseated",
        }
    }
}

/// What the groups of a node have counted since it started, and how they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetrics {
    /// Groups that have a replica here.
    pub groups: u64,
    /// Groups that this node speaks for.
    pub led: u64,
    /// Terms that have begun, as the replicas here have seen: one for each election that was held in earnest.
    pub elections: u64,
    /// How often another node became the leader of a group that has a replica here.
    pub leader_changes: u64,
    /// How often this node began to speak for a group.
    pub leaderships: u64,
    /// How often it ceased to, by reason.
    pub step_downs: Vec<(StepDown, u64)>,
    /// Groups that this node leads and in which nothing has been committed for long although entries wait.
    pub stuck: u64,
    /// How often a group came to be so.
    pub stalls: u64,
    /// How often a group that had ended by itself here was started again: each is a fault of this program or of its disk.
    pub restarts: u64,
    /// Replicas of other nodes that this node, as their leader, has found to have lost what they had, and let in again as new ones.
    pub lost_replicas: u64,
    /// Replicas of this node that were found, when they were started, to have lost a part of what they had.
    pub lost_here: u64,
    /// Committed entries applied here, those that a start repeats from the log included.
    pub applied_entries: u64,
    /// Bytes of entries that were made durable in the log.
    pub appended_bytes: u64,
    /// How often the log was synced.
    pub log_syncs: u64,
    /// Bytes that the log takes on the disk.
    pub log_bytes: u64,
    /// Bytes that the state takes on the disk.
    pub state_bytes: u64,
    /// Roughly how many bytes the unended tasks of all shards here take in memory.
    pub unended_bytes: u64,
    /// How many bytes the texts of waiting tasks take on the disk only.
    pub waiting_bytes: u64,
    /// Dead letters that were forgotten by this node's word, for the sake of their bounds.
    pub dead_dropped: u64,
}

/// What the tasks that have not ended take of a node, in bytes, and what they may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnendedUse {
    /// Of memory, roughly.
    pub memory: (u64, u64),
    /// Of the disk, by the texts of waiting tasks that are not in memory.
    pub disk: (u64, u64),
}

/// The counters of a node's groups that no log and no state keeps.
#[derive(Debug, Default)]
pub(crate) struct GroupCounters {
    elections: AtomicU64,
    leader_changes: AtomicU64,
    leaderships: AtomicU64,
    step_downs: [AtomicU64; StepDown::ALL.len()],
    /// By node.
    lost_replicas: Mutex<BTreeMap<NodeId, u64>>,
    /// Replicas of this node.
    lost_here: AtomicU64,
    stalls: AtomicU64,
}

impl GroupCounters {
    pub(crate) fn elected(&self, terms: u64) {
        self.elections.fetch_add(terms, Ordering::Relaxed);
    }

    pub(crate) fn leader_changed(&self) {
        self.leader_changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn gained(&self) {
        self.leaderships.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stepped_down(&self, why: StepDown) {
        self.step_downs[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lost_replica(&self, node: NodeId) {
        *self.lost_replicas.lock().entry(node).or_default() += 1;
    }

    pub(crate) fn lost_here(&self) {
        self.lost_here.fetch_add(1, Ordering::Relaxed);
    }

    /// How many replicas of this node were found to have lost what they had when they were started.
    pub(crate) fn count_lost_here(&self) -> u64 {
        self.lost_here.load(Ordering::Relaxed)
    }

    pub(crate) fn lost_replicas(&self) -> BTreeMap<NodeId, u64> {
        self.lost_replicas.lock().clone()
    }

    pub(crate) fn stuck(&self) {
        self.stalls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::Relaxed)
    }

    pub(crate) fn elections(&self) -> u64 {
        self.elections.load(Ordering::Relaxed)
    }

    pub(crate) fn leader_changes(&self) -> u64 {
        self.leader_changes.load(Ordering::Relaxed)
    }

    pub(crate) fn leaderships(&self) -> u64 {
        self.leaderships.load(Ordering::Relaxed)
    }

    pub(crate) fn step_downs(&self) -> Vec<(StepDown, u64)> {
        let counts = self.step_downs.iter().map(|count| count.load(Ordering::Relaxed));
        StepDown::ALL.into_iter().zip(counts).collect()
    }
}
