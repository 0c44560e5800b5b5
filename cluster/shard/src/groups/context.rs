//! What all groups of a node share.

use super::network::Wires;
use super::suspension::Suspension;
use super::time::Clocks;
use crate::config::{ShardHostConfig, Timings};
use crate::error::OpenError;
use crate::metrics::{GroupCounters, UnendedUse};
use crate::raft::log::LogHost;
use crate::raft::machine::StateHost;
use crate::work;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::ProposeError;
use openraft::SnapshotPolicy;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// How often leases are looked at. A lease ends earlier than the followers' by two such intervals, so that a leader that
/// has lost its quorum is silent before another can be elected.
pub(crate) const LEASE_CHECK: Duration = Duration::from_millis(50);

/// The queue before each group's core. openraft's default is 65 536, which costs megabytes for each group.
const CORE_QUEUE: u64 = 1_024;

/// The queue before each group's state machine.
const MACHINE_QUEUE: u64 = 64;

/// How many entries one message to a follower carries; their bytes are bounded by the log's reader.
const ENTRIES_IN_MESSAGE: u64 = 256;

/// What all groups of a node share.
pub(crate) struct Context {
    pub(crate) me: NodeId,
    /// Which start of the node this is.
    pub(crate) boot: u64,
    pub(crate) config: ShardHostConfig,
    pub(crate) raft: Arc<openraft::Config>,
    pub(crate) wires: Arc<Wires>,
    pub(crate) log: Arc<LogHost>,
    pub(crate) state: Arc<StateHost>,
    /// What the members' clocks show, this node's among them.
    pub(crate) clocks: Clocks,
    /// Wakes whoever starts groups again that have ended.
    pub(crate) fallen: Notify,
    pub(crate) counters: Arc<GroupCounters>,
    pub(crate) suspension: Suspension,
    /// Reads of the store that are under way for callers.
    pub(crate) reading: Arc<Semaphore>,
    /// Digests of everything that are being made.
    pub(crate) digesting: Semaphore,
}

/// How many reads of the store go on at once for callers; each takes a thread beside the runtime and may scan for a while. What
/// comes meanwhile waits, with its caller's deadline.
pub(crate) const READS: usize = 8;

/// How many digests are made at once.
pub(crate) const DIGESTS: usize = 1;

impl Context {
    /// Reads the state where a disk may be waited for, and rows may be gone through: beside the runtime, whose threads have
    /// heartbeats and leases to look after.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&StateHost) -> Result<T, ProposeError> + Send + 'static,
    ) -> Result<T, ProposeError> {
        let Ok(permit) = Arc::clone(&self.reading).acquire_owned().await else { return Err(ProposeError::Stopping) };
        let state = Arc::clone(&self.state);
        let read = work::blocking(move || {
            // Given back when the reading is over, however long whoever asked has waited.
            let _permit = permit;
            read(&state)
        });
        read.await.unwrap_or(Err(ProposeError::Stopping))
    }

    /// What the unended tasks of all shards here take, and what they may take.
    pub(crate) fn unended(&self) -> UnendedUse {
        let (memory, disk) = self.state.unended_bytes();
        let config = &self.config;
        UnendedUse { memory: (memory, config.max_unended_bytes), disk: (disk, config.max_waiting_bytes) }
    }

    /// How long after a quorum has last been heard a leader may still speak.
    pub(crate) fn lease(&self) -> Duration {
        self.config.timings.election_max.saturating_sub(LEASE_CHECK * 2)
    }

    /// Whether this node may vote and stand for election: it is sure to be the only one of its identity.
    pub(crate) fn may_vote(&self) -> bool {
        self.config.may_vote.as_ref().is_none_or(|may| *may.borrow())
    }

    /// Waits until it may.
    pub(crate) async fn voting(&self) {
        let Some(mut may) = self.config.may_vote.clone() else { return };
        if may.wait_for(|may| *may).await.is_err() {
            // Whoever decides is gone: the node ends.
            std::future::pending::<()>().await;
        }
    }

    /// Whether anything can be written.
    pub(crate) fn health(&self) -> Result<(), ProposeError> {
        self.log.health()?;
        self.state.health()
    }
}

/// How many messages openraft takes from its queue at once, for which it keeps a buffer for each group.
const BATCH: u64 = 64;

/// openraft's configuration for every group.
pub(crate) fn raft_config(timings: &Timings) -> Result<openraft::Config, OpenError> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let config = openraft::Config {
        cluster_name: "octopussy".to_owned(),
        // It only sets how often a group looks at its clock, since the groups' heartbeats are sent together from outside: as
        // seldom as an election allows, for an idle node wakes up for each of them.
        heartbeat_interval: millis(timings.election_min) * 3 / 5,
        election_timeout_min: millis(timings.election_min),
        election_timeout_max: millis(timings.election_max),
        enable_pre_vote: Some(true),
        // A leader's entries reach its followers, and are committed by them, while its own disk is still writing. One that was
        // killed in between has lost them: if it went on leading in the same term, it would give their places to others, and
        // what was acknowledged would be gone. It has to be elected, which those who have the entries see to.
        enable_leader_restore: Some(false),
        // The groups of a node beat together, so that their heartbeats share frames.
        enable_heartbeat: false,
        max_payload_entries: ENTRIES_IN_MESSAGE,
        api_channel_size: Some(CORE_QUEUE),
        notification_channel_size: Some(CORE_QUEUE),
        state_machine_channel_size: Some(MACHINE_QUEUE),
        // A group's batcher keeps a handful of entries in flight: there is never more to take at once.
        api_batch_capacity: BATCH,
        // Both are triggered from outside, after the state has been stored: what is purged must be there.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        ..openraft::Config::default()
    };
    let config = config.validate().map_err(|error| OpenError::Timings(error.to_string()))?;
    if timings.election_min <= timings.heartbeat + LEASE_CHECK * 2 {
        return Err(OpenError::Timings("an election must wait for longer than a heartbeat and 100 ms".to_owned()));
    }
    Ok(config)
}
