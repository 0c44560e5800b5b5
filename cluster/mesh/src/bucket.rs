//! A token bucket.

use std::time::{Duration, Instant};

/// Grants up to `burst` at once and `rate` a second in the long run. Pure: it is told the time.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    rate: f64,
    burst: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new((rate, burst): (f64, f64), now: Instant) -> Self {
        Self { rate, burst, level: burst, filled: now }
    }

    /// Takes one token; `false` when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        self.filled = now.max(self.filled);
        self.level = (self.level + passed.as_secs_f64() * self.rate).min(self.burst);
        if self.level < 1.0 {
            return false;
        }
        self.level -= 1.0;
        true
    }

    /// When it was last asked.
    pub(crate) fn last(&self) -> Instant {
        self.filled
    }
}

/// Lets the same thing be said once in a while.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: parking_lot::Mutex<Option<Instant>>,
}

impl Throttle {
    /// Whether it may be said now.
    pub(crate) fn allows(&self, now: Instant, every: Duration) -> bool {
        let mut last = self.last.lock();
        let allowed = last.is_none_or(|last| now.saturating_duration_since(last) >= every);
        if allowed {
            *last = Some(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_grants_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new((10.0, 3.0), start);
        let granted = (0..10).filter(|_| bucket.take(start)).count();
        assert_eq!(granted, 3);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..10).filter(|_| bucket.take(later)).count(), 2);
        assert!(!bucket.take(start), "a clock that goes back grants nothing");
        assert_eq!((0..10).filter(|_| bucket.take(later + Duration::from_secs(60))).count(), 3);
    }

    #[test]
    fn a_throttle_allows_once_in_a_while() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        assert!(throttle.allows(start, LOG));
        assert!(!throttle.allows(start + LOG / 2, LOG));
        assert!(throttle.allows(start + LOG, LOG));
    }

    const LOG: Duration = Duration::from_secs(10);
}
