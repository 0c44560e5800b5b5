//! The task ledger: the deterministic state machine that a shard replicates.
//!
//! [`Machine::apply`] takes one command of the log and answers with what came of it, what is to be written and what is to
//! be told. It performs no I/O, reads no clock and draws no random number: time, ids and epochs come in the commands. Only
//! what has not ended is kept in memory, and of what waits only what its turn depends on; long texts of waiting tasks, agents
//! without work and tasks that have ended are read through [`Cold`].

mod agents;
mod cold;
mod effects;
mod housekeeping;
mod limits;
mod machine;
mod mailbox;
mod queries;
mod recovery;
mod runs;
mod tasks;
mod unended;
mod versions;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod repeat_tests;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod text_tests;
#[cfg(test)]
mod version_tests;

pub use cold::{Cold, ColdError, EndedTask, IdempotencyEntry, IdempotencyKey};
pub use effects::{Effects, Write};
pub use limits::{IDEMPOTENCY_WINDOW, INLINE_TEXT, MAILBOX_TEXT, MAX_STEPS, SWEEP_LIMIT, SWEEP_TEXT};
pub use machine::{HotTask, Machine, ShardRecord};
