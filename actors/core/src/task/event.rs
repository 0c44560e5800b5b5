//! What a shard's leader tells its host after applying.

use super::{StepRecord, TaskRecord};
use crate::ids::{AgentId, Epoch, ShardId, TaskId};
use std::sync::Arc;

/// News from the ledger. Only ever a wake-up: what it tells of can be read from the ledger at any time.
#[derive(Debug, Clone)]
pub enum LedgerEvent {
    /// This node leads the shard from now on.
    LeaderGained {
        /// Which.
        shard: ShardId,
        /// Its fence.
        epoch: Epoch,
    },
    /// This node no longer leads the shard; its agents must fall silent.
    LeaderLost {
        /// Which.
        shard: ShardId,
    },
    /// An agent has work.
    TaskReady {
        /// Whose.
        agent: AgentId,
        /// Which task.
        task: TaskId,
    },
    /// A task is being worked on.
    TaskBegun {
        /// Which.
        task: Arc<TaskRecord>,
    },
    /// A step was journaled.
    StepDone {
        /// Whose.
        task: TaskId,
        /// The step.
        step: Arc<StepRecord>,
    },
    /// Somebody wants a running task to end.
    CancelRequested {
        /// Whose.
        agent: AgentId,
        /// Which task.
        task: TaskId,
    },
    /// A task has ended.
    TaskEnded {
        /// As it ended.
        task: Arc<TaskRecord>,
    },
    /// What is wanted of an agent has changed.
    AgentChanged {
        /// Which.
        agent: AgentId,
    },
}
