//! How long a caller is kept while a leader is looked for.

use std::time::Duration;
use tokio::time::Instant;

/// The first pause between two rounds over the nodes that may lead.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest such pause: an election takes a few of them.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A caller's patience.
pub(super) struct Patience {
    end: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { end: Instant::now() + limit, pause: FIRST_PAUSE }
    }

    /// What is left.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// Waits a little longer each time.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.pause.min(self.left())).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
