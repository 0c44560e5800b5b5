//! What an agent decides, without runtime: who may pass, what comes next, what is remembered, when it is tried again.

mod backoff;
mod chain;
mod config;
mod inbox;
mod memory;
mod plan;
mod run;
mod states;

pub use backoff::Backoff;
pub use chain::{Checks, Verdict, inbound};
pub use config::ActorConfig;
pub use inbox::{Inbox, InboxFull, LANE_CAPACITY};
pub use memory::{MEMORY_BYTES, MEMORY_TURNS, Memory, UnreadableMemory};
pub use plan::{MAX_PLAN_PARTS, plan_parts};
pub use run::{Call, Done, JournalMismatch, Next, Run};
pub use states::{Wanted, next_event};

#[cfg(test)]
mod tests;
