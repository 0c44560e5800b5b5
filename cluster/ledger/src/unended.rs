//! Tasks that have not ended, as the machine keeps them: those that run whole, and of those that wait what their turn
//! depends on. Long texts of a waiting task lie in the store until the task is begun or ended, so that memory holds a line
//! for each of them however much was written into it.

use crate::{Cold, ColdError, HotTask, INLINE_TEXT, Machine};
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::message::Priority;
use octopussy_core::task::{StepOutcome, StepRecord, TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use std::sync::Arc;

/// What a task takes in memory besides its texts, with its places in the mailbox and the maps.
const TASK_BYTES: u64 = 768;

/// What a step takes besides its text.
const STEP_BYTES: u64 = 256;

/// A waiting task without its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) agent: AgentId,
    pub(crate) priority: Priority,
    pub(crate) sequence: u64,
    pub(crate) expires_at: Timestamp,
    /// How many bytes of text it has, its steps included.
    pub(crate) text: u64,
}

impl Place {
    fn of(record: &TaskRecord) -> Self {
        Self {
            agent: record.agent,
            priority: record.priority,
            sequence: record.sequence,
            expires_at: record.expires_at,
            text: text(record),
        }
    }
}

/// A task that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unended {
    /// It runs, or it waits and has little text.
    Whole(HotTask),
    /// It waits, and the store has its texts.
    Stored(Place),
}

impl Unended {
    /// How a task is kept. Depends on nothing but the task, so that replicas agree and so does one that was restored.
    pub(crate) fn of(task: HotTask) -> Self {
        if task.record.state == TaskState::Running {
            return Self::Whole(task);
        }
        let place = Place::of(&task.record);
        if place.text <= INLINE_TEXT { Self::Whole(task) } else { Self::Stored(place) }
    }

    /// What it is in a mailbox and among the expiries, whether it waits or not.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Whole(task) => Place::of(&task.record),
            Self::Stored(place) => place.clone(),
        }
    }

    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Self::Whole(task) => task.record.sequence,
            Self::Stored(place) => place.sequence,
        }
    }

    pub(crate) fn state(&self) -> TaskState {
        match self {
            Self::Whole(task) => task.record.state,
            Self::Stored(_) => TaskState::Accepted,
        }
    }

    /// All of it, when memory has that.
    pub(crate) const fn whole(&self) -> Option<&HotTask> {
        match self {
            Self::Whole(task) => Some(task),
            Self::Stored(_) => None,
        }
    }

    /// The same, to change it.
    pub(crate) const fn whole_mut(&mut self) -> Option<&mut HotTask> {
        match self {
            Self::Whole(task) => Some(task),
            Self::Stored(_) => None,
        }
    }

    /// Roughly how many bytes it takes in memory.
    pub(crate) fn memory(&self) -> u64 {
        match self {
            Self::Whole(HotTask { record, .. }) => TASK_BYTES + record.steps.len() as u64 * STEP_BYTES + text(record),
            Self::Stored(_) => TASK_BYTES,
        }
    }

    /// How many bytes of its texts only the store has.
    pub(crate) const fn stored(&self) -> u64 {
        match self {
            Self::Whole(_) => 0,
            Self::Stored(place) => place.text,
        }
    }
}

impl Machine {
    /// A task, from memory or from the store.
    ///
    /// # Errors
    /// [`ColdError`] when the store cannot be read, or lacks a task that waits.
    pub fn task(&self, id: TaskId, cold: &impl Cold) -> Result<Option<Arc<TaskRecord>>, ColdError> {
        match self.tasks.get(&id) {
            Some(Unended::Whole(task)) => Ok(Some(Arc::clone(&task.record))),
            Some(Unended::Stored(_)) => {
                let missing = || ColdError(format!("task {id} waits, and its texts are missing").into());
                cold.task(id)?.map(Some).ok_or_else(missing)
            }
            None => cold.task(id),
        }
    }

    /// Tasks that have not ended, as they are. All are read before anything is changed: a command that fails in the middle
    /// of its tasks must have changed nothing.
    pub(crate) fn unended(
        &self,
        ids: impl IntoIterator<Item = TaskId>,
        cold: &impl Cold,
    ) -> Result<Vec<Arc<TaskRecord>>, ColdError> {
        ids.into_iter().filter_map(|id| self.task(id, cold).transpose()).collect()
    }
}

/// How many bytes of text a task has.
fn text(task: &TaskRecord) -> u64 {
    let steps: u64 = task.steps.iter().map(|step| step_text(step)).sum();
    task.message.payload().as_str().len() as u64 + steps
}

fn step_text(step: &StepRecord) -> u64 {
    let (StepOutcome::Done(text) | StepOutcome::Failed(text)) = &step.outcome;
    text.len() as u64
}

/// Roughly how many bytes a step takes in memory.
pub(crate) fn step_size(step: &StepRecord) -> u64 {
    STEP_BYTES + step_text(step)
}
