//! Time as a value: milliseconds since the Unix epoch, always handed in by whoever reads the clock.

use crate::contract::{Port, PortId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of time, as far as this program is concerned.
    pub const EPOCH: Self = Self(0);

    /// A moment from its milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment plus `by`; saturates at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// This moment less `by`; saturates at the beginning of time.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// The time that a replicated state goes on with when its leader says that it is `now`. It stands still while the leader's
    /// clock is a little behind, as clocks are. Time that is far ahead came from a leader whose clock was wrong: it goes back, or
    /// everything that is counted from now on would wait for a moment that is hours or years away.
    #[must_use]
    pub fn then(self, now: Self) -> Self {
        if self > now && self.since(now) <= STANDS_STILL { self } else { now }
    }

    /// How long after `earlier` this moment is; zero when it is not after it (clocks do go back).
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// How far a replicated state's time may be ahead of its leader's clock and stand still until that has come; beyond it the
/// time goes back.
pub const STANDS_STILL: Duration = Duration::from_secs(60);

/// Reads the time. The one implementation that asks the machine lives in a realization; tests hand in their own.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

impl Port for dyn Clock {
    const ID: PortId = PortId::Clock;
}
