//! Time for which the machine was suspended. The clock that leases are measured by stands still meanwhile, while the clocks of
//! the others go on: they elect somebody else.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// By how much the two clocks may seem to have moved apart only because this thread was interrupted between looking at them.
const TOLERANCE: Duration = Duration::from_millis(20);

/// For how long the machine had been suspended since it was booted, as it was seen at one moment. Never more than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slept(Duration);

impl Slept {
    pub(crate) fn now() -> Self {
        let all = with_suspensions();
        Self(all.saturating_sub(awake()))
    }

    /// How long that was.
    pub(crate) const fn duration(self) -> Duration {
        self.0
    }

    /// Whether the machine has been suspended since.
    pub(crate) fn is_over(self) -> bool {
        let awake = awake();
        with_suspensions().saturating_sub(awake) > self.0 + TOLERANCE
    }

    /// In microseconds, to be kept where there is room for a number only.
    pub(crate) fn micros(self) -> u64 {
        u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) const fn from_micros(micros: u64) -> Self {
        Self(Duration::from_micros(micros))
    }
}

/// Notices that the machine was suspended.
pub(crate) struct Suspension(Mutex<(Slept, Option<Instant>)>);

impl Suspension {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((Slept::now(), None)))
    }

    /// How long the machine has slept until now, and when it was last noticed that it had: what was heard before that moment says
    /// nothing of how long ago it was said.
    pub(crate) fn look(&self) -> (Slept, Option<Instant>) {
        let now = Slept::now();
        let mut seen = self.0.lock();
        if now.0 > seen.0.0 + TOLERANCE {
            tracing::warn!(
                slept_ms = (now.0 - seen.0.0).as_millis(),
                "the machine was suspended: nothing is led until a majority has answered anew"
            );
            seen.1 = Some(Instant::now());
        }
        // One look may have been interrupted where the last was not.
        seen.0 = seen.0.max(now);
        *seen
    }
}

/// The time since the machine was booted, without its suspensions.
fn awake() -> Duration {
    #[cfg(test)]
    if crate::tests::sim::is_running() {
        return Duration::ZERO;
    }
    clocks::awake()
}

/// The same with its suspensions.
fn with_suspensions() -> Duration {
    #[cfg(test)]
    if let Some(slept) = crate::tests::sim::slept() {
        return slept;
    }
    clocks::with_suspensions()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod clocks {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    fn read(clock: ClockId) -> Duration {
        // Both begin at the boot.
        Duration::try_from(clock_gettime(clock)).unwrap_or_default()
    }

    pub(super) fn awake() -> Duration {
        read(ClockId::Monotonic)
    }

    pub(super) fn with_suspensions() -> Duration {
        read(ClockId::Boottime)
    }
}

/// Elsewhere there is no such pair of clocks: a suspension is noticed by the others only.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod clocks {
    use std::time::Duration;

    pub(super) const fn awake() -> Duration {
        Duration::ZERO
    }

    pub(super) const fn with_suspensions() -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_stays_awake_is_never_seen_to_have_slept() {
        let (suspension, before) = (Suspension::new(), Slept::now());
        for _ in 0..1_000 {
            assert_eq!(suspension.look().1, None);
        }
        assert!(!before.is_over());
        assert!(Slept::from_micros(before.micros()) <= before);
    }
}
