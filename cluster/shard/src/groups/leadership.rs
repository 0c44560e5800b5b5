//! Whether this node may speak for a group. Pure: what is observed and the time come from outside.

use crate::metrics::StepDown;
use tokio::time::Instant;

/// What is seen of the group's Raft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The term in which this node leads the group, as a voter of its committed membership.
    pub(crate) leads: Option<u64>,
    /// Until when the quorum's last acknowledgement lets the leader speak.
    pub(crate) lease: LeaseEnd,
    /// Which leadership is given away.
    pub(crate) yielded: Yielded,
}

/// Which leadership is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Yielded {
    /// None.
    #[default]
    Nothing,
    /// Whichever is held, or comes to be.
    Any,
    /// Those of the terms up to this one. Somebody may be elected by it for as long as the term lasts, however late that
    /// arrives, and whatever lease there is.
    UpTo(u64),
}

impl Yielded {
    const fn includes(self, term: u64) -> bool {
        match self {
            Self::Nothing => false,
            Self::Any => true,
            Self::UpTo(last) => term <= last,
        }
    }
}

/// Until when a leader may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseEnd {
    /// A quorum has not answered yet.
    Never,
    /// Then.
    At(Instant),
    /// The node is its own quorum.
    Unbounded,
}

impl LeaseEnd {
    pub(crate) fn covers(self, now: Instant) -> bool {
        match self {
            Self::Never => false,
            Self::At(end) => now < end,
            Self::Unbounded => true,
        }
    }
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    Stay,
    /// The leadership is to be announced and activated in this term.
    Gain(u64),
    /// What depends on the leadership must fall silent.
    Lose(StepDown),
}

/// Whether this node speaks for a group, and since which term.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    held: Option<u64>,
}

impl Leadership {
    /// The term in which the leadership is held.
    pub(crate) const fn held(&self) -> Option<u64> {
        self.held
    }

    /// Takes in what is seen now. A change of term is a loss first, and a gain at the next look.
    pub(crate) fn look(&mut self, observed: Observed, now: Instant) -> Turn {
        let may = observed.leads.filter(|term| !observed.yielded.includes(*term) && observed.lease.covers(now));
        match (self.held, may) {
            (None, None) => Turn::Stay,
            (Some(held), Some(term)) if held == term => Turn::Stay,
            (None, Some(term)) => {
                self.held = Some(term);
                Turn::Gain(term)
            }
            (Some(held), None | Some(_)) => {
                self.held = None;
                Turn::Lose(match observed.leads {
                    Some(term) if term == held && observed.yielded.includes(term) => StepDown::HandOver,
                    Some(term) if term == held => StepDown::Lease,
                    Some(_) | None => StepDown::Unseated,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn seen(leads: Option<u64>, lease: LeaseEnd) -> Observed {
        Observed { leads, lease, yielded: Yielded::Nothing }
    }

    #[test]
    fn a_leader_speaks_once_a_quorum_has_answered_and_no_longer_than_its_lease() {
        let (now, mut leadership) = (Instant::now(), Leadership::default());
        let end = now + Duration::from_secs(1);
        assert_eq!(leadership.look(seen(Some(3), LeaseEnd::Never), now), Turn::Stay);
        assert_eq!(leadership.look(seen(Some(3), LeaseEnd::At(end)), now), Turn::Gain(3));
        assert_eq!(leadership.look(seen(Some(3), LeaseEnd::At(end)), now), Turn::Stay);
        assert_eq!(leadership.look(seen(Some(3), LeaseEnd::At(end)), end), Turn::Lose(StepDown::Lease));
        assert_eq!(leadership.held(), None);
        let later = end + Duration::from_secs(1);
        assert_eq!(leadership.look(seen(Some(3), LeaseEnd::At(later)), end), Turn::Gain(3), "it may speak anew");
    }

    #[test]
    fn another_term_is_a_loss_before_it_is_a_gain() {
        let (now, mut leadership) = (Instant::now(), Leadership::default());
        assert_eq!(leadership.look(seen(Some(3), LeaseEnd::Unbounded), now), Turn::Gain(3));
        assert_eq!(leadership.look(seen(Some(5), LeaseEnd::Unbounded), now), Turn::Lose(StepDown::Unseated));
        assert_eq!(leadership.look(seen(Some(5), LeaseEnd::Unbounded), now), Turn::Gain(5));
    }

    #[test]
    fn a_leader_that_hands_over_is_silent_before_it_does() {
        let (now, mut leadership) = (Instant::now(), Leadership::default());
        let observed = seen(Some(3), LeaseEnd::Unbounded);
        assert_eq!(leadership.look(observed, now), Turn::Gain(3));
        let handing = Observed { yielded: Yielded::Any, ..observed };
        assert_eq!(leadership.look(handing, now), Turn::Lose(StepDown::HandOver));
        assert_eq!(leadership.look(handing, now), Turn::Stay);
        let handed = Observed { yielded: Yielded::UpTo(3), ..observed };
        assert_eq!(leadership.look(handed, now), Turn::Stay, "nobody took it, but somebody still may");
        assert_eq!(leadership.look(Observed { leads: Some(4), ..handed }, now), Turn::Gain(4));
    }
}
