//! The bounds of a shard's ledger, each with its reason.

use std::time::Duration;

/// How long an idempotency key is remembered, and a task's result at least after its end.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// How many steps a task may have: far beyond any sensible run, near enough to stop one that loops.
pub const MAX_STEPS: u32 = 1_000;

/// How many tasks or keys one command of housekeeping touches at most, so that none holds the others up for long.
pub const SWEEP_LIMIT: usize = 1_024;
