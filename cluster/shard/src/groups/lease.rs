//! Until when this node may speak for a group, readable without a lock.

use super::leadership::LeaseEnd;
use super::suspension::Slept;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const FOREVER: u64 = u64::MAX;

/// Until when this node may speak for a group. A process that was stopped, or whose machine was suspended, finds it run out when
/// it wakes, before any timer has fired.
pub(crate) struct Lease {
    base: Instant,
    /// Microseconds since `base`; 0 for not at all.
    until: AtomicU64,
    /// For how long the machine had slept when that was found, in microseconds.
    slept: AtomicU64,
}

impl Lease {
    pub(crate) fn new() -> Self {
        // A base in the past keeps 0 free for "not at all".
        Self { base: Instant::now() - Duration::from_millis(1), until: AtomicU64::new(0), slept: AtomicU64::new(0) }
    }

    /// Says until when, as it was found by a machine that had slept for so long.
    pub(crate) fn set(&self, end: LeaseEnd, slept: Slept) {
        let until = match end {
            LeaseEnd::Never => 0,
            LeaseEnd::At(end) => self.micros(end),
            LeaseEnd::Unbounded => FOREVER,
        };
        if self.slept.load(Ordering::Relaxed) != slept.micros() {
            // Nobody must take the old end for one that was found after the sleep.
            self.until.store(0, Ordering::Release);
            self.slept.store(slept.micros(), Ordering::Release);
        }
        self.until.store(until, Ordering::Release);
    }

    pub(crate) fn is_valid(&self) -> bool {
        // In this order: see above.
        let slept = Slept::from_micros(self.slept.load(Ordering::Acquire));
        let until = self.until.load(Ordering::Acquire);
        until == FOREVER || (until > 0 && self.micros(Instant::now()) < until && !slept.is_over())
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.base).as_micros()).unwrap_or(FOREVER - 1)
    }
}
