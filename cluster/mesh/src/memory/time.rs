//! What time it is on a network.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// What time it is on a network.
pub(super) enum Time {
    /// What the runtime's clock says.
    Runtime,
    /// To where a simulation has brought it.
    Driven(Driven),
}

/// A time that is moved by hand.
pub(super) struct Driven {
    start: Instant,
    now: Mutex<Instant>,
}

impl Time {
    /// A time that stands still until it is moved.
    pub(super) fn driven() -> Self {
        let start = Instant::now();
        Self::Driven(Driven { start, now: Mutex::new(start) })
    }

    pub(super) fn now(&self) -> Instant {
        match self {
            Self::Runtime => Instant::now(),
            Self::Driven(driven) => *driven.now.lock(),
        }
    }
}

impl Driven {
    /// The instant that comes `time` after the beginning.
    pub(super) fn at(&self, time: Duration) -> Instant {
        self.start + time
    }

    /// Moves the time; it never goes back.
    pub(super) fn set(&self, to: Instant) {
        let mut now = self.now.lock();
        *now = to.max(*now);
    }
}
