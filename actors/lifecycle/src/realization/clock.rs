//! The clock of the machine.

use octopussy_core::time::{Clock, Timestamp};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads the machine's clock, and never goes back within one process: when the wall clock is set back, time goes on at its
/// normal pace from where it was. A jump forward is followed at once; taking it back takes a restart.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    origin: Origin,
}

impl SystemClock {
    /// A clock that begins at the present wall time.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now(), origin: Origin::default() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.origin.now(wall, self.started.elapsed())
    }
}

/// The latest wall time at which the steady clock can have stood at zero, in milliseconds. Only ever grows, which is why the
/// sum with the steady clock only ever grows.
#[derive(Debug, Default)]
struct Origin(AtomicU64);

impl Origin {
    fn now(&self, wall: Duration, elapsed: Duration) -> Timestamp {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let elapsed = millis(elapsed);
        let implied = millis(wall).saturating_sub(elapsed);
        let known = self.0.load(Ordering::Relaxed);
        // The common case is a read: all threads share this line, so it is written only when the wall clock has gained.
        let origin = if implied > known { self.0.fetch_max(implied, Ordering::Relaxed).max(implied) } else { known };
        Timestamp::from_millis(origin.saturating_add(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn time_never_goes_back(moves in prop::collection::vec((0u64..2_000_000_000_000, 0u64..10_000), 1..50)) {
            let origin = Origin::default();
            let (mut elapsed, mut last) = (0, Timestamp::EPOCH);
            for (wall, passed) in moves {
                elapsed += passed;
                let now = origin.now(Duration::from_millis(wall), Duration::from_millis(elapsed));
                prop_assert!(now >= last.plus(Duration::from_millis(passed)) || last == Timestamp::EPOCH);
                prop_assert!(now.as_millis() >= wall);
                last = now;
            }
        }
    }

    #[test]
    fn setting_the_wall_clock_back_does_not_stop_time() {
        let origin = Origin::default();
        let at = |wall, elapsed| origin.now(Duration::from_secs(wall), Duration::from_secs(elapsed)).as_millis();
        assert_eq!(at(5_000, 0), 5_000_000);
        assert_eq!(at(1_401, 1), 5_001_000, "an hour back");
        assert_eq!(at(1_410, 10), 5_010_000);
        assert_eq!(at(9_000, 11), 9_000_000, "a jump forward is followed");
    }

    #[test]
    fn it_tells_the_time_of_the_machine() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Duration::from_millis(SystemClock::new().now().as_millis());
        assert!(now.abs_diff(wall) < Duration::from_secs(60));
    }
}
