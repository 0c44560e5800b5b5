//! A task as the ledger keeps it.

use super::StepRecord;
use crate::agent::{AgentRecord, Usage};
use crate::ids::{AgentId, Epoch, PartyId, TaskId};
use crate::message::{Message, Priority};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// Durable, waiting for its agent.
    Accepted,
    /// Its agent works on it.
    Running,
    /// Ended with a result.
    Succeeded,
    /// Ended with an error that a repetition would not mend.
    Failed,
    /// Ended by request.
    Cancelled,
    /// Given up on; kept until somebody replays or discards it.
    DeadLettered,
}

impl TaskState {
    /// Whether nothing more will happen to it by itself.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Accepted | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::DeadLettered => true,
        }
    }

    /// The name used outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::DeadLettered => "DEAD_LETTERED",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a task was given up on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterReason {
    /// Every attempt failed.
    AttemptsExhausted,
    /// Its time to live passed before it was done.
    Expired,
    /// It was found again too late to be worth doing.
    TooOldToRecover,
    /// It looked like an attempt to take the agent over.
    Quarantined,
    /// Its signature did not verify.
    BadSignature,
    /// Its agent was stopped.
    AgentStopped,
    /// The processes that ran it ended under it again and again: it may be what ends them.
    CrashSuspect,
}

impl DeadLetterReason {
    /// The name used outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::Expired => "expired",
            Self::TooOldToRecover => "too_old_to_recover",
            Self::Quarantined => "quarantined",
            Self::BadSignature => "bad_signature",
            Self::AgentStopped => "agent_stopped",
            Self::CrashSuspect => "crash_suspect",
        }
    }
}

/// A task with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Its id.
    pub id: TaskId,
    /// Whose it is.
    pub agent: AgentId,
    /// Who asked.
    pub sender: PartyId,
    /// The signed message that asked.
    pub message: Arc<Message>,
    /// Its lane in the mailbox.
    pub priority: Priority,
    /// Its place in the lane: smaller is earlier.
    pub sequence: u64,
    /// Where it is.
    pub state: TaskState,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// After this moment it is not begun (or begun again): its time to live after its acceptance, by the clock of its shard.
    pub expires_at: Timestamp,
    /// Which attempt it is in, or was in last: those that failed, and the one after them once it is begun. A run that was
    /// handed back, or cut off by the end of its leadership, is none: nothing was wrong with the task.
    pub attempts: u32,
    /// How many attempts may fail.
    pub max_attempts: u32,
    /// The leadership that runs it, or ran it last.
    pub epoch: Epoch,
    /// The journal.
    pub steps: Vec<Arc<StepRecord>>,
    /// The result, as the agent wrote it.
    pub result: Option<Arc<Message>>,
    /// The last error.
    pub error: Option<Arc<str>>,
    /// Why it is in the dead-letter queue.
    pub dead_letter: Option<DeadLetterReason>,
    /// The sender's idempotency key.
    pub idempotency_key: Option<Arc<str>>,
    /// How often it has been begun, whatever came of it.
    pub begun: u32,
    /// How often the process that ran it ended under it, as far as that can be told.
    pub crashes: u32,
    /// The version of its agent that it was last begun with; 0 before that.
    pub agent_version: u32,
}

impl TaskRecord {
    /// The version of its agent that it is to be begun with: the present one, unless its journal was written by another that
    /// is still remembered. A run ends on the version that it has begun with.
    #[must_use]
    pub fn version_to_run(&self, agent: &AgentRecord) -> u32 {
        let bound = !self.steps.is_empty() && agent.version_at(self.agent_version).is_some();
        if bound { self.agent_version } else { agent.version() }
    }

    /// All that its steps cost.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.steps.iter().fold(Usage::default(), |sum, step| sum.plus(step.usage))
    }
}
