//! When to try again.

use std::time::Duration;

/// How often a call is repeated at one provider before the next one is asked.
pub const MAX_RETRIES: u32 = 2;
/// The longest pause before the first repetition.
const BASE: Duration = Duration::from_millis(250);
/// The longest pause that is made on request of a provider: beyond it, another provider is the better answer.
const MAX_REQUESTED: Duration = Duration::from_secs(10);

/// How long to pause before repetition number `retry` (from 0); `None`: do not repeat. `random` is in 0..1: the pause is drawn
/// evenly from all up to the bound ("full jitter"), so that callers who failed together do not come back together.
#[must_use]
pub fn backoff(retry: u32, requested: Option<Duration>, random: f64) -> Option<Duration> {
    if retry >= MAX_RETRIES {
        return None;
    }
    let jittered = BASE.saturating_mul(1 << retry.min(8)).mul_f64(random.clamp(0.0, 1.0));
    match requested {
        Some(requested) if requested > MAX_REQUESTED => None,
        Some(requested) => Some(requested + jittered),
        None => Some(jittered),
    }
}
