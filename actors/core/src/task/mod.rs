//! The vocabulary of the task ledger: tasks, their steps, the commands that change them and what comes of those.

mod command;
mod content;
mod event;
mod record;
mod step;

pub use command::{Applied, Command, NewTask, Outcome, Refusal};
pub use content::{Constraint, TaskContent};
pub use event::LedgerEvent;
pub use record::{DeadLetterReason, TaskRecord, TaskState};
pub use step::{StepKey, StepKind, StepOutcome, StepRecord};

/// How many attempts of a task may fail before it is dead-lettered.
pub const MAX_ATTEMPTS: u32 = 3;

/// How many times the process that ran a task may have ended under it before the task is dead-lettered. Far more than any
/// series of power cuts and upgrades that a long task lives through, and an end for one that kills whoever runs it.
pub const MAX_CRASHES: u32 = 16;
/// With how many bytes in its steps a task takes no more steps. A task is read, listed and copied as a whole, so that it has to
/// stay far below what travels between nodes as one answer.
pub const MAX_JOURNAL_BYTES: usize = 16 * 1024 * 1024;

/// How many tasks may wait in one agent's mailbox. Beyond it the sender is told to come back later; a mailbox is a queue,
/// not a store.
pub const MAILBOX_CAPACITY: usize = 1024;
