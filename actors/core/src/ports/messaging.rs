//! Messages and news.

use super::{AgentLifecyclePort, AgentStatus};
use crate::agent::AgentState;
use crate::contract::{Port, PortId};
use crate::ids::{AgentId, Epoch, PartyId, TaskId};
use crate::message::{Message, MessageDraft};
use crate::problem::Problem;
use crate::task::{StepRecord, TaskRecord, TaskState};
use crate::time::Timestamp;
use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What news is about.
///
/// Variants are only ever appended: their order is their encoding between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Topic {
    /// One task: its state, its steps, its tokens.
    Task(TaskId),
    /// One agent: its state, and the states of its tasks.
    Agent(AgentId),
    /// Every agent's state and signs of life, and nothing of their tasks.
    Agents,
    /// Every agent's and every task's state.
    All,
}

/// The position of news in its task's stream: the leadership under which it arose, then a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct EventId {
    /// Leadership.
    pub epoch: Epoch,
    /// Count within it, across all topics.
    pub sequence: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

impl FromStr for EventId {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('-')
            .and_then(|(epoch, sequence)| {
                Some(Self { epoch: Epoch(epoch.parse().ok()?), sequence: sequence.parse().ok()? })
            })
            .ok_or_else(|| {
                Problem::new(crate::problem::Code::BadRequest, format!("'{text}' is not an event id"))
                    .hint("send the id of the last event you received, such as 12-345")
            })
    }
}

/// News.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its position.
    pub id: EventId,
    /// When it arose.
    pub at: Timestamp,
    /// Whose agent it concerns.
    pub agent: AgentId,
    /// Which task it concerns, when it concerns one.
    pub task: Option<TaskId>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Variants are only ever appended: their order is their encoding between nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EventKind {
    /// A piece of an answer, as the model speaks. Not journaled: after a gap, the completed step has the whole.
    Token {
        /// The step that speaks.
        step: u32,
        /// The piece.
        text: Arc<str>,
    },
    /// A step is in the journal.
    Step(Arc<StepRecord>),
    /// A task has another state.
    Task(TaskState),
    /// A task has ended; the whole of it.
    Ended(Arc<TaskRecord>),
    /// An agent has another state.
    Agent(AgentState),
    /// An agent takes no more work because its budget is spent.
    BudgetExhausted(Arc<str>),
    /// An agent's runtime is alive, in this state. For whoever watches over agents; watchers of tasks need not be told.
    Heartbeat(AgentState),
    /// An agent is no longer active here: it lies idle (or paused) in the store until there is work for it.
    Passivated,
    /// Events between the one the watcher named and this one are gone; what follows is complete again.
    Gap,
}

/// A command to an agent, as the payload of a CONTROL message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum ControlCommand {
    /// Take no more work.
    Pause,
    /// Take work again.
    Resume,
    /// End.
    Stop,
    /// End one task.
    Cancel {
        /// Which.
        task: TaskId,
    },
}

/// A task message with what the ledger needs beside it.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The signed message, of type TASK.
    pub message: Arc<Message>,
    /// The sender's idempotency key with a fingerprint of the request.
    pub idempotency: Option<(Arc<str>, u64)>,
    /// How often the task may be begun.
    pub max_attempts: u32,
}

/// News as it comes, bounded: a watcher that falls behind gets a [`EventKind::Gap`].
pub type Subscription = BoxStream<'static, Event>;

/// What the leader of an agent's shard knows of it at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLive {
    /// Which agent.
    pub agent: AgentId,
    /// Its status; `None` when it is not active.
    pub status: Option<AgentStatus>,
    /// How many tasks wait for it.
    pub waiting: usize,
}

/// Whoever runs agents on this node. Attached by the actor capability when it starts.
#[async_trait]
pub trait AgentHost: Send + Sync {
    /// Takes a CONTROL message; verified and handled at once.
    async fn control(&self, message: Message) -> Result<(), Problem>;
}

/// Carries messages between parties and news to watchers.
#[async_trait]
pub trait MessagingPort: Send + Sync {
    /// Accepts a task durably; when this returns, it is committed. A repetition under the same idempotency key returns the
    /// same task with `false`.
    async fn submit(&self, submission: Submission) -> Result<(Arc<TaskRecord>, bool), Problem>;

    /// Hands a CONTROL message to whoever hosts its recipient: the leader of its shard, on this node or another. A leader
    /// that is lost meanwhile is followed by the next one, for some seconds at most.
    async fn control(&self, message: Message) -> Result<(), Problem>;

    /// Registers the node's agent host.
    fn attach(&self, host: Arc<dyn AgentHost>);

    /// Registers who knows the states of the agents active on this node, for the questions of other nodes.
    fn attach_lifecycle(&self, lifecycle: Arc<dyn AgentLifecyclePort>);

    /// Asks the leaders of the agents' shards how they are. An agent whose leader does not answer within about a second is
    /// missing from the answer.
    async fn live(&self, agents: &[AgentId]) -> Vec<AgentLive>;

    /// Publishes news. Never blocks; without watchers it costs next to nothing.
    fn publish(&self, agent: AgentId, task: Option<TaskId>, kind: EventKind);

    /// Whether anybody watches the task, so that token news can be left out when nobody does.
    fn is_watched(&self, agent: AgentId, task: TaskId) -> bool;

    /// News on a topic from all nodes, from the event after `after` where it is still remembered. What happens after this
    /// function has returned is either told or announced as missing with a [`EventKind::Gap`]. The news of a task or an
    /// agent come from the leader of its shard, and from the next leader when that changes.
    async fn subscribe(&self, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem>;

    /// News on a topic, as far as they arise on this node.
    fn subscribe_here(&self, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem>;

    /// Dead letters of all shards, newest first.
    async fn dead_letters(&self, after: Option<TaskId>, limit: usize) -> Result<super::Page<Arc<TaskRecord>>, Problem>;

    /// How many dead letters there are in all shards.
    async fn dead_letter_count(&self) -> Result<u64, Problem>;

    /// Tries a dead letter again, on behalf of `by`.
    async fn replay(&self, task: TaskId, by: PartyId) -> Result<Arc<TaskRecord>, Problem>;

    /// Forgets a dead letter.
    async fn discard(&self, task: TaskId) -> Result<(), Problem>;

    /// Signs a draft with the present key.
    fn sign(&self, draft: MessageDraft) -> Message;
}

impl Port for dyn MessagingPort {
    const ID: PortId = PortId::Messaging;
}
