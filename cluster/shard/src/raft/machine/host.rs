//! The state of all groups of this node.

use super::config::StateConfig;
use super::control::ControlStateMachine;
use super::shard::ShardMachine;
use super::snapshot::{SnapshotError, SnapshotWriter};
use crate::error::OpenError;
use crate::raft::{GroupId, TypeConfig};
use octopussy_control::ControlState;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, Epoch, ShardCount, ShardId, TaskId};
use octopussy_core::ports::{AgentQuery, LedgerObserver, Page, ProposeError, TaskQuery};
use octopussy_core::task::{Command, TaskRecord};
use octopussy_core::time::Timestamp;
use openraft::type_config::alias::LogIdOf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The host is closing; what is not stored is in the log.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the node is stopping")]
pub(crate) struct Closed;

/// The state of all groups of this node: one store, one thread that brings changes into it.
pub(crate) struct StateHost {}

impl StateHost {
    /// Opens the state in `config.dir`, or makes it, with every group that was there. Blocks while it does.
    pub(crate) fn open(config: StateConfig) -> Result<Arc<Self>, OpenError> {
        todo!()
    }

    /// The groups whose state this node has.
    pub(crate) fn groups(&self) -> Vec<GroupId> {
        todo!()
    }

    /// The state machine of a shard, empty when the node does not have it yet. One Raft group at a time may use it.
    pub(crate) fn shard(self: &Arc<Self>, shard: ShardId) -> ShardMachine {
        todo!()
    }

    /// The state machine of the control group. One Raft group at a time may use it.
    pub(crate) fn control(self: &Arc<Self>) -> ControlStateMachine {
        todo!()
    }

    /// The control group's state as it changes.
    pub(crate) fn watch_control(&self) -> watch::Receiver<Arc<ControlState>> {
        todo!()
    }

    /// How many shards the cluster has; none before it is known here.
    pub(crate) fn shards(&self) -> Option<ShardCount> {
        todo!()
    }

    /// Brings everything applied so far into the store, durably. Waits while the store fails.
    pub(crate) async fn flush(&self) -> Result<(), Closed> {
        todo!()
    }

    /// How far the stored state of a group goes: its log is needed beyond this only.
    pub(crate) fn durable(&self, group: GroupId) -> Option<LogIdOf<TypeConfig>> {
        todo!()
    }

    /// Deletes a shard's state, once its group has been stopped for good. Waits while the store fails.
    pub(crate) async fn forget(&self, shard: ShardId) -> Result<(), Closed> {
        todo!()
    }

    /// Whether the store works; otherwise why not.
    pub(crate) fn health(&self) -> Result<(), ProposeError> {
        todo!()
    }

    /// The bytes that the state takes on the disk.
    pub(crate) fn size_on_disk(&self) -> u64 {
        todo!()
    }

    /// Stores everything and lets go of the files; the groups have been stopped. Answers whether that was done within
    /// `limit`; otherwise it goes on behind.
    pub(crate) async fn close(&self, limit: Duration) -> bool {
        todo!()
    }

    /// Says that this node's Raft group leads the shard in `term`, before its `Activate` is proposed, or that it does not any
    /// longer ([`Self::lose`]). The leadership counts from the moment an `Activate` of this node in this term is applied.
    pub(crate) fn set_leading(&self, shard: ShardId, term: Option<u64>) {
        todo!()
    }

    /// The leadership is gone, or not certain any longer (its lease has run out): observers are told at once, those who wait
    /// for tasks of the shard are refused. After it the leadership must be announced and activated anew.
    pub(crate) fn lose(&self, shard: ShardId) {
        todo!()
    }

    /// The epoch under which this node leads the shard, once it is activated.
    pub(crate) fn epoch(&self, shard: ShardId) -> Option<Epoch> {
        todo!()
    }

    /// Tells `observer` of what is led already, and of everything that is applied to shards led here from now on.
    pub(crate) fn observe(&self, observer: Arc<dyn LedgerObserver>) {
        todo!()
    }

    /// A task as this node has applied it, whether or not it leads its shard; [`ProposeError::NotLeader`] when the shard's
    /// state is not here.
    pub(crate) fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        todo!()
    }

    /// An agent; like [`Self::task`].
    pub(crate) fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        todo!()
    }

    /// The tasks that the agent should do next, in that order.
    pub(crate) fn next_tasks(&self, agent: AgentId, limit: usize) -> Vec<Arc<TaskRecord>> {
        todo!()
    }

    /// How many tasks wait for the agent.
    pub(crate) fn waiting(&self, agent: AgentId) -> usize {
        todo!()
    }

    /// Agents of `shards` that take work and have some waiting.
    pub(crate) fn agents_with_work(&self, shards: &[ShardId]) -> Vec<AgentId> {
        todo!()
    }

    /// How many dead letters `shards` hold.
    pub(crate) fn dead_letters(&self, shards: &[ShardId]) -> u64 {
        todo!()
    }

    /// Tasks of `shards`, newest first. Shards that are not here are passed over.
    pub(crate) fn tasks(&self, shards: &[ShardId], query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ProposeError> {
        todo!()
    }

    /// Agents of `shards`, by id. Shards that are not here are passed over.
    pub(crate) fn agents(&self, shards: &[ShardId], query: &AgentQuery) -> Result<Page<Arc<AgentRecord>>, ProposeError> {
        todo!()
    }

    /// Waits until a task of a shard led here has ended, at most for `limit`; answers with the task as it then is.
    /// [`ProposeError::NotLeader`] when the shard is not led here, or not any longer.
    pub(crate) async fn await_end(&self, id: TaskId, limit: Duration) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        todo!()
    }

    /// How many tasks of the shard have not ended.
    pub(crate) fn hot_count(&self, shard: ShardId) -> usize {
        todo!()
    }

    /// When the next waiting task of the shard expires.
    pub(crate) fn next_expiry(&self, shard: ShardId) -> Option<Timestamp> {
        todo!()
    }

    /// What retention has to do in the shard: the commands to propose, and whether there is more than one round can do.
    /// `before`: older history is forgotten. `max_ended`: of the newer, only so many are kept.
    pub(crate) fn sweep(&self, shard: ShardId, now: Timestamp, before: Timestamp, max_ended: u64) -> (Vec<Command>, bool) {
        todo!()
    }

    /// A file for a snapshot that another node sends.
    pub(crate) async fn receive_snapshot(&self, group: GroupId) -> Result<SnapshotWriter, SnapshotError> {
        todo!()
    }
}
