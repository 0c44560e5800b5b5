//! The bounds of a shard's ledger, each with its reason.

use std::time::Duration;

/// How long an idempotency key is remembered, and a task's result at least after its end.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// How many steps a task may have: far beyond any sensible run, near enough to stop one that loops.
pub const MAX_STEPS: u32 = 1_000;

/// How many bytes of text a waiting task may have and still be kept in memory whole: what most requests are, so that only
/// long ones are read again when they are begun.
pub const INLINE_TEXT: u64 = 1_024;

/// How many bytes of text may wait for one agent. All of it is in memory for a moment when the agent is stopped or deleted.
pub const MAILBOX_TEXT: u64 = 32 * 1024 * 1024;

/// How many bytes of text the tasks have that one command of housekeeping ends, at least one task aside.
pub const SWEEP_TEXT: u64 = 8 * 1024 * 1024;

/// How many tasks or keys one command of housekeeping touches at most, so that none holds the others up for long.
pub const SWEEP_LIMIT: usize = 1_024;
