//! The durable truth: commands go in, are committed and applied, and change what can be read.

use crate::agent::AgentRecord;
use crate::contract::{Port, PortId};
use crate::ids::{AgentId, NodeId, ShardCount, ShardId, TaskId};
use crate::ports::MAX_FRAME_BYTES;
use crate::problem::{Code, Problem};
use crate::task::{Applied, Command, Refusal, TaskRecord, TaskState};
use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest command, encoded, in bytes: one that any node can forward to its leader in a frame, with what names it there.
pub const MAX_COMMAND_BYTES: usize = MAX_FRAME_BYTES - 64 * 1024;

/// What unended tasks take up at a node, and may only take so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Room {
    /// Memory.
    Memory,
    /// The disk, by the texts of what waits.
    Disk,
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "of memory",
            Self::Disk => "on the disk",
        })
    }
}

/// A command was not applied.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
pub enum ProposeError {
    /// It was committed and refused by the state machine; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// This node does not lead the shard; nothing changed.
    #[error("this node does not lead shard {0}")]
    NotLeader(ShardId),
    /// No leader of the shard answers: it is being elected, or this node is on the smaller side of a partition. Nothing changed.
    #[error("no leader of shard {0} can be reached")]
    NoLeader(ShardId),
    /// The leader was lost while the command was on its way; whether it was applied is not known. Whoever repeats it must be
    /// able to recognise that.
    #[error("the leader of shard {0} was lost while it had the command; whether it was carried out is not known")]
    Uncertain(ShardId),
    /// The log has as much in flight as it may; nothing changed.
    #[error("the log of this node is at its bound")]
    Busy,
    /// The log cannot be written because the disk is full; the command may not be assumed to be lost or kept until the node
    /// has been restarted.
    #[error("the disk is full")]
    DiskFull,
    /// The log failed for another reason; same uncertainty.
    #[error("the store failed: {0}")]
    Store(Arc<str>),
    /// The node is stopping; nothing changed.
    #[error("the node is stopping")]
    Stopping,
    /// The node that leads the shard holds as much unended work as it may; nothing changed.
    #[error(
        "the tasks that wait and run at the node of the agent take {used_mib} MiB of the {limit_mib} MiB {of} that they may take"
    )]
    Full {
        /// Of what.
        of: Room,
        /// What they take.
        used_mib: u64,
        /// What they may take.
        limit_mib: u64,
    },
    /// The command is longer than any may be; nothing changed, and no repetition helps.
    #[error("the change has {bytes} bytes, the limit is {limit}; nothing was changed")]
    TooLarge {
        /// Its length, encoded.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
}

impl ProposeError {
    /// For a command of this many bytes.
    #[must_use]
    pub const fn too_large(bytes: usize) -> Self {
        Self::TooLarge { bytes: bytes as u64, limit: MAX_COMMAND_BYTES as u64 }
    }
}

impl From<ProposeError> for Problem {
    fn from(error: ProposeError) -> Self {
        let detail = error.to_string();
        match error {
            ProposeError::Refused(refusal) => refusal.into(),
            ProposeError::NoLeader(_) => Self::new(Code::NotReady, detail)
                .retry_after(Duration::from_secs(1))
                .hint("should it last: `octopussy cluster status` tells why, and what can be done"),
            ProposeError::NotLeader(_) | ProposeError::Uncertain(_) | ProposeError::Stopping => {
                Self::new(Code::NotReady, detail).retry_after(Duration::from_secs(1))
            }
            ProposeError::Full { .. } => Self::new(Code::NodeFull, detail)
                .retry_after(Duration::from_secs(5))
                .hint("come back when some have ended; `octopussy task list --state accepted` shows what waits"),
            ProposeError::Busy => Self::new(Code::Overloaded, detail).retry_after(Duration::from_secs(1)),
            ProposeError::DiskFull => Self::new(Code::DiskFull, detail)
                .hint("free space on the disk of the data directory, then restart the node"),
            ProposeError::Store(_) => Self::new(Code::StoreUnavailable, detail),
            ProposeError::TooLarge { .. } => Self::new(Code::PayloadTooLarge, detail)
                .hint("send long texts as documents, which travel by themselves"),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::UnknownAgent(_) => Code::UnknownAgent,
            Refusal::AgentExists(_) => Code::AgentExists,
            Refusal::AgentStopped(_) => Code::AgentStopped,
            Refusal::MailboxFull { .. } | Refusal::MailboxTextFull { .. } => Code::MailboxFull,
            Refusal::UnknownTask(_) => Code::UnknownTask,
            Refusal::IdempotencyConflict(_) => Code::IdempotencyConflict,
            Refusal::TaskEnded(_) => Code::TaskEnded,
            Refusal::NotDeadLettered(_) => Code::NotDeadLettered,
            Refusal::AgentChanged { .. } => Code::AgentChanged,
            Refusal::AgentBusy { .. } => Code::AgentBusy,
            Refusal::StaleEpoch { .. }
            | Refusal::StepOutOfOrder { .. }
            | Refusal::NotRunning(_)
            | Refusal::NotWaiting(_) => Code::InvalidTransition,
        };
        let problem = Self::new(code, refusal.to_string());
        if code == Code::MailboxFull {
            problem.retry_after(Duration::from_secs(1)).hint("wait until the agent has caught up")
        } else if code == Code::UnknownAgent {
            problem.hint("`octopussy agent list` shows the agents there are")
        } else if code == Code::AgentChanged {
            problem.hint("look at the agent as it is now and try again")
        } else if code == Code::AgentBusy {
            problem.hint("wait until they have ended, or cancel them with it: `octopussy agent delete NAME --force`")
        } else {
            problem
        }
    }
}

/// Which tasks are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TaskFilter {
    /// All of them.
    #[default]
    All,
    /// Those in this state.
    State(TaskState),
}

/// A question for tasks, newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TaskQuery {
    /// Of this agent only.
    pub agent: Option<AgentId>,
    /// In this state only.
    pub filter: TaskFilter,
    /// Older than this one (the last of the page before).
    pub after: Option<TaskId>,
    /// At most this many; bounded by the ledger to 500.
    pub limit: usize,
}

/// A question for agents, by id.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct AgentQuery {
    /// After this one.
    pub after: Option<AgentId>,
    /// At most this many; bounded by the ledger to 500.
    pub limit: usize,
}

/// A page of a listing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether there are more after the last row.
    pub more: bool,
}

/// The ledger of the cluster, from any node: what concerns a shard that another node leads is forwarded to its leader, with
/// the caller's deadline. Answers are of what is committed and applied at the leader.
#[async_trait]
pub trait LedgerPort: Send + Sync {
    /// How many shards there are.
    fn shards(&self) -> ShardCount;

    /// Commits `command` to its shard's log on a quorum, applies it and answers with what came of it. While this node leads
    /// the shard, commands proposed one after another by one caller are applied in that order, also when their answers are
    /// not awaited in between: the command is in line when this function returns, before the future is polled. A command
    /// that can be repeated without harm (an acceptance, a cancellation) is repeated when its leader changes meanwhile.
    fn propose(&self, shard: ShardId, command: Command) -> BoxFuture<'static, Result<Applied, ProposeError>>;

    /// A task.
    async fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError>;

    /// An agent.
    async fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError>;

    /// How many tasks wait for the agent.
    async fn waiting(&self, agent: AgentId) -> Result<usize, ProposeError>;

    /// Tasks of every shard, newest first.
    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ProposeError>;

    /// Agents of every shard, by id.
    async fn agents(&self, query: &AgentQuery) -> Result<Page<Arc<AgentRecord>>, ProposeError>;

    /// How many dead letters there are in all shards.
    async fn dead_letters(&self) -> Result<u64, ProposeError>;

    /// Waits until the task has ended, at most for `limit`; answers with the task as it then is.
    async fn await_end(&self, id: TaskId, limit: Duration) -> Result<Option<Arc<TaskRecord>>, ProposeError>;

    /// The node that leads the shard, as far as this node knows.
    fn leader(&self, shard: ShardId) -> Option<NodeId>;

    /// Whether writes are possible; otherwise why not.
    fn health(&self) -> Result<(), ProposeError>;
}

impl Port for dyn LedgerPort {
    const ID: PortId = PortId::Ledger;
}
