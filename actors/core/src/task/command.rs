//! The commands a shard's log holds. Time, ids and epochs come inside them, so that every replica applies the same. The time
//! is the leader's, whatever a proposer wrote: it is set when the command is put in line at the leader.
//!
//! Variants and fields are only ever appended: their order is their encoding.

use super::{DeadLetterReason, StepRecord, TaskRecord};
use crate::agent::{AgentRecord, AgentSpec, AgentVersion, Desired, Usage};
use crate::ids::{AgentId, Epoch, NodeId, PartyId, ShardId, TaskId};
use crate::message::Message;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A task that is to be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// Its id, drawn with [`TaskId::for_agent`].
    pub id: TaskId,
    /// Whose it is to be.
    pub agent: AgentId,
    /// Who asks.
    pub sender: PartyId,
    /// The signed message.
    pub message: Arc<Message>,
    /// The sender's idempotency key, with a fingerprint of the request it came with.
    pub idempotency: Option<(Arc<str>, u64)>,
    /// How many attempts may fail.
    pub max_attempts: u32,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// With a signed result.
    Succeeded(Arc<Message>),
    /// With an error that repeating would not mend.
    Failed(Arc<str>),
    /// With an error that may pass: the task goes back to its mailbox until its attempts are used up.
    Retry(Arc<str>),
    /// By request.
    Cancelled(Arc<str>),
    /// It must not be run: straight to the dead-letter queue.
    DeadLetter(DeadLetterReason, Arc<str>),
    /// Not at all: it is handed back unharmed (a graceful stop, a pause, a move of its shard); the attempt does not count.
    HandedBack,
    /// Not yet: whatever it needs has asked to come back later. It is handed back with that reason; the attempt does not count.
    Postponed(Arc<str>),
}

/// A change of a shard's state.
#[expect(missing_docs, reason = "each variant's sentence names its fields")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// `node`, in its life `boot`, leads `shard` from here on; the command's position is the new epoch. Running tasks of
    /// earlier epochs go back to their mailboxes without having used up an attempt; those older than `max_age` are
    /// dead-lettered instead. `gone`: the node that led before, if it is another, cannot be reached.
    Activate { shard: ShardId, node: NodeId, now: Timestamp, max_age: Duration, boot: u64, gone: bool },
    /// A new agent.
    CreateAgent { agent: Box<AgentRecord> },
    /// What the owner wants of an agent.
    SetDesired { agent: AgentId, desired: Desired, now: Timestamp },
    /// A new task.
    Accept { task: Box<NewTask>, now: Timestamp },
    /// An agent begins the task, as the version of it that [`TaskRecord::version_to_run`] names.
    Begin { task: TaskId, epoch: Epoch, version: u32, now: Timestamp },
    /// A step is complete. When it began and ended is what the clock of its node showed, to be shown; `now` counts.
    Step { task: TaskId, step: Arc<StepRecord>, now: Timestamp },
    /// A run has ended. `memory` is what a stateful agent remembers from now on.
    End { task: TaskId, epoch: Epoch, outcome: Outcome, memory: Option<Arc<str>>, now: Timestamp },
    /// Somebody asks for a task to be cancelled; one that runs is ended by its run.
    Cancel { task: TaskId, reason: Arc<str>, now: Timestamp },
    /// A dead-lettered task is to be tried again, with its attempts renewed and a new signed message.
    Replay { task: TaskId, message: Arc<Message>, now: Timestamp },
    /// A dead-lettered task is to be forgotten.
    Discard { task: TaskId },
    /// Time has passed: waiting tasks that have expired are dead-lettered, forgotten idempotency keys dropped.
    Tick { shard: ShardId, now: Timestamp },
    /// Ended tasks (not dead letters) that ended before this moment are forgotten, unless their keys are still remembered.
    Forget { shard: ShardId, before: Timestamp },
    /// Tokens spent outside a step.
    RecordUsage { agent: AgentId, usage: Usage, now: Timestamp },
    /// The agent's spending starts anew.
    ResetUsage { agent: AgentId },
    /// Another version of an agent, in place of the version `from`.
    UpdateAgent { agent: AgentId, from: u32, spec: Arc<AgentSpec>, version: Box<AgentVersion> },
    /// The agent is to be forgotten, and its name is free again. Its ended tasks stay until their time. Refused while it has
    /// tasks that have not ended, unless `force`: those are cancelled with `reason`.
    DeleteAgent { agent: AgentId, force: bool, reason: Arc<str>, now: Timestamp },
    /// Dead letters that are too many are forgotten, the earliest submitted first: those beyond the newest `keep`, and those
    /// among the earliest that ended before this moment.
    ForgetDead { shard: ShardId, before: Timestamp, keep: u64 },
}

impl Command {
    /// Sets the time at which it is carried out. The shard's leader does that, and nobody else's clock counts.
    pub const fn stamp(&mut self, at: Timestamp) {
        match self {
            Self::Activate { now, .. }
            | Self::SetDesired { now, .. }
            | Self::Accept { now, .. }
            | Self::Begin { now, .. }
            | Self::Step { now, .. }
            | Self::End { now, .. }
            | Self::Cancel { now, .. }
            | Self::Replay { now, .. }
            | Self::Tick { now, .. }
            | Self::RecordUsage { now, .. }
            | Self::DeleteAgent { now, .. } => *now = at,
            Self::CreateAgent { .. }
            | Self::Discard { .. }
            | Self::Forget { .. }
            | Self::ResetUsage { .. }
            | Self::UpdateAgent { .. }
            | Self::ForgetDead { .. } => {}
        }
    }
}

/// What came of a command that was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Applied {
    /// The shard has a new epoch.
    Activated(Epoch),
    /// Done; nothing to say.
    Done,
    /// The agent as it now is.
    Agent(Arc<AgentRecord>),
    /// The task as it now is.
    Task(Arc<TaskRecord>),
    /// The same request was accepted before; the task as it now is.
    Duplicate(Arc<TaskRecord>),
    /// How many tasks were touched.
    Count(u64),
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// No such agent.
    #[error("there is no agent {0}")]
    UnknownAgent(AgentId),
    /// The name is taken.
    #[error("an agent called '{0}' exists already")]
    AgentExists(String),
    /// It takes no more work.
    #[error("agent {0} is stopped")]
    AgentStopped(AgentId),
    /// The queue is at its bound.
    #[error("the mailbox of agent {agent} is full ({capacity} tasks)")]
    MailboxFull {
        /// Whose.
        agent: AgentId,
        /// Its bound.
        capacity: usize,
    },
    /// The tasks that wait have as much text as may wait for one agent.
    #[error("the tasks that wait for agent {agent} have as much text as may wait for one agent ({} MiB)", limit / (1024 * 1024))]
    MailboxTextFull {
        /// Whose.
        agent: AgentId,
        /// The bound in bytes.
        limit: u64,
    },
    /// No such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// The same key, another request.
    #[error("the idempotency key '{0}' was used for another request")]
    IdempotencyConflict(Arc<str>),
    /// It is over.
    #[error("task {0} has already ended")]
    TaskEnded(TaskId),
    /// It is not a dead letter.
    #[error("task {0} is not in the dead-letter queue")]
    NotDeadLettered(TaskId),
    /// Another leadership, or another attempt, owns the task now.
    #[error("the change comes from epoch {given}, the task belongs to epoch {current}")]
    StaleEpoch {
        /// The command's.
        given: Epoch,
        /// The task's or shard's.
        current: Epoch,
    },
    /// The journal has another next step.
    #[error("step {given} does not follow: the journal has {expected} steps")]
    StepOutOfOrder {
        /// The command's.
        given: u32,
        /// The next one.
        expected: u32,
    },
    /// It is not being worked on.
    #[error("task {0} is not running")]
    NotRunning(TaskId),
    /// It is not waiting.
    #[error("task {0} is not waiting to be begun")]
    NotWaiting(TaskId),
    /// It has another version than the command counts on.
    #[error("agent {agent} has been changed meanwhile: its version is {current} now, not {given}")]
    AgentChanged {
        /// Whose.
        agent: AgentId,
        /// The command's.
        given: u32,
        /// The present one.
        current: u32,
    },
    /// It has tasks that have not ended.
    #[error("agent {agent} has {tasks} tasks that have not ended")]
    AgentBusy {
        /// Which.
        agent: AgentId,
        /// How many.
        tasks: u64,
    },
}
