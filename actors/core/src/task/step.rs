//! The steps of a task's run: each completed one is an entry of the journal.

use crate::agent::Usage;
use crate::ids::{Epoch, TaskId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Passages were looked up.
    Retrieve,
    /// A model answered.
    Model,
    /// A tool ran.
    Tool,
    /// A message was sent.
    Message,
    /// A time was waited for.
    Timer,
}

impl StepKind {
    /// The name used outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retrieve => "retrieve",
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Message => "message",
            Self::Timer => "timer",
        }
    }
}

/// Names a step of a task the same way in every attempt, so that providers and tools can recognise a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// The task.
    pub task: TaskId,
    /// Which step of its run, from 0.
    pub index: u32,
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.task, self.index)
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepOutcome {
    /// It was done; what it yielded, as the runtime wrote it (text or JSON).
    Done(Arc<str>),
    /// It was tried and will not succeed; the run decides what follows.
    Failed(Arc<str>),
}

/// One completed step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which step of the run, from 0, without gaps.
    pub index: u32,
    /// What it was.
    pub kind: StepKind,
    /// What it was for, such as `draft`; a replay checks it.
    pub name: Arc<str>,
    /// Who did it, such as `openai/gpt-5`; empty when nobody in particular.
    pub by: Arc<str>,
    /// The attempt in which it was done.
    pub attempt: u32,
    /// The leadership under which it was done.
    pub epoch: Epoch,
    /// When it began.
    pub started_at: Timestamp,
    /// When it had ended.
    pub ended_at: Timestamp,
    /// What it yielded.
    pub outcome: StepOutcome,
    /// What it cost.
    pub usage: Usage,
}
