//! How long a caller is kept while a leader is looked for.

use std::time::Duration;
use tokio::time::Instant;

/// The first pause between two rounds over the nodes that may lead.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest such pause: an election takes a few of them.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// After this time without a majority of the group's voters in reach nobody is kept any longer. An election is waited out, for it
/// needs no more than the loss of a minority; a node that is cut off by itself learns of no leader until that has ended. Not
/// shorter, since members that are busy are suspected now and then.
const CUT_OFF: Duration = Duration::from_millis(700);

/// A caller's patience.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    end: Instant,
    pause: Duration,
    /// Since when no majority of the group has been in reach.
    cut_off: Option<Instant>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { end: Instant::now() + limit, pause: FIRST_PAUSE, cut_off: None }
    }

    /// What is left.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Takes in whether this node is cut off from a majority of the group just now.
    pub(super) fn look(&mut self, cut_off: bool) {
        self.cut_off = cut_off.then(|| self.cut_off.unwrap_or_else(Instant::now));
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero() || self.cut_off.is_some_and(|since| since.elapsed() >= CUT_OFF)
    }

    /// Waits a little longer each time.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(self.pause.min(self.left())).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_lasting_cut_ends_it_early() {
        let mut patience = Patience::new(Duration::from_secs(5));
        patience.look(true);
        tokio::time::advance(CUT_OFF - Duration::from_millis(1)).await;
        assert!(!patience.is_over());
        patience.look(false);
        patience.look(true);
        tokio::time::advance(CUT_OFF - Duration::from_millis(1)).await;
        assert!(!patience.is_over(), "it was in reach in between");
        patience.look(true);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(patience.is_over());
        patience.look(false);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(!patience.is_over(), "an election is waited out");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(patience.is_over());
    }
}
