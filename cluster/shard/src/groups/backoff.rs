//! How long a group that has ended waits before it is started again. Pure: the time comes from outside.

use std::time::Duration;
use tokio::time::Instant;

/// The first pause: short beside an election, so that a single fault is hardly noticed.
const FIRST: Duration = Duration::from_millis(50);

/// The longest pause: a group that ends each time costs the node next to nothing, and is back soon after its cause has gone.
const LONGEST: Duration = Duration::from_secs(30);

/// A group that has not ended for so long has recovered: its next restart is quick again. Longer than [`LONGEST`].
const STEADY: Duration = Duration::from_secs(120);

/// How often a group has ended lately.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<(Instant, Duration)>,
}

impl Backoff {
    /// The pause before the start that follows an end at `now`.
    pub(super) fn after_end(&mut self, now: Instant) -> Duration {
        let recent = self.last.filter(|(ended, _)| now.saturating_duration_since(*ended) < STEADY);
        let pause = recent.map_or(FIRST, |(_, pause)| longer(pause));
        self.last = Some((now, pause));
        pause
    }
}

/// The pause after one that did not help.
pub(super) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_steady_time() {
        let (mut now, mut backoff) = (Instant::now(), Backoff::default());
        let mut expected = FIRST;
        for _ in 0..20 {
            assert_eq!(backoff.after_end(now), expected);
            now += expected + Duration::from_secs(1);
            expected = (expected * 2).min(LONGEST);
        }
        assert_eq!(expected, LONGEST);
        now += STEADY;
        assert_eq!(backoff.after_end(now), FIRST);
    }
}
