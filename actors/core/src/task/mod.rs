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

/// How often a task is tried before it is dead-lettered.
pub const MAX_ATTEMPTS: u32 = 3;

/// How many tasks may wait in one agent's mailbox. Beyond it the sender is told to come back later; a mailbox is a queue,
/// not a store.
pub const MAILBOX_CAPACITY: usize = 1024;
