//! What comes of a command.

use crate::{HotTask, IdempotencyEntry, IdempotencyKey};
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::task::{Applied, LedgerEvent, Refusal, StepRecord, TaskRecord};
use octopussy_core::time::Timestamp;
use std::sync::Arc;

/// A change to be stored. Later ones of the same thing replace earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// The part of an agent that only another version of it changes. A [`Write::Agent`] follows.
    Blueprint(Arc<AgentRecord>),
    /// The part of an agent that changes, as it now is.
    Agent(Arc<AgentRecord>),
    /// The part of an accepted (or replayed) task that does not change until it ends. A [`Write::Hot`] follows.
    Head(Arc<TaskRecord>),
    /// A task that has not ended, as it now is; its steps have been written by [`Write::Step`].
    Hot(HotTask),
    /// A task that has just ended, as it now is.
    Ended(Arc<TaskRecord>),
    /// A dead letter that is being replayed: it leaves the indexes of ended tasks. A [`Write::Head`] follows.
    Revived(Arc<TaskRecord>),
    /// A task that is to be removed with its steps and its place in every index.
    Forgotten(Arc<TaskRecord>),
    /// A step of a task.
    Step(TaskId, Arc<StepRecord>),
    /// A used idempotency key.
    Key(IdempotencyKey, IdempotencyEntry),
    /// A key that is to be removed, with the moment it was used.
    KeyForgotten(IdempotencyKey, Timestamp),
    /// An agent that is to be removed.
    AgentForgotten(AgentId),
}

/// What comes of a command.
#[derive(Debug)]
pub struct Effects {
    /// The answer.
    pub result: Result<Applied, Refusal>,
    /// What is to be stored, in order. The shard's own record ([`crate::Machine::record`]) is to be stored with it.
    pub writes: Vec<Write>,
    /// What is to be told, in order.
    pub events: Vec<LedgerEvent>,
}

impl Default for Effects {
    fn default() -> Self {
        Self { result: Ok(Applied::Done), writes: Vec::new(), events: Vec::new() }
    }
}
