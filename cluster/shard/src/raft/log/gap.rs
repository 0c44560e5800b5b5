//! Whether a log and the state that was made of it belong together. Pure.

use super::LogId;
use super::group::GroupState;

/// What is missing between a log and a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The log begins after what the state has applied: the state was lost, or is an older one.
    State,
    /// The log ends before what it is known to have had.
    Log,
    /// The state has applied another entry than the log has in its place.
    Contradiction,
}

impl Gap {
    /// What of the replica is not as it was left, in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::State => "its state is gone, or older than what its log begins with",
            Self::Log => "its log ends before what it had confirmed",
            Self::Contradiction => "its state is not of its log",
        }
    }
}

impl GroupState {
    /// What is missing between this log and a state that has applied everything up to `applied`; nothing where the one goes on
    /// with the other. A state may be ahead of its log by what others had confirmed when the node ended.
    pub(super) fn gap(&self, applied: Option<LogId>) -> Option<Gap> {
        let next = applied.map_or(0, |applied| applied.index + 1);
        let begins = if self.has_entries() { self.first } else { self.purged.map_or(0, |purged| purged.index + 1) };
        if begins > next {
            return Some(Gap::State);
        }
        let differs = |other: LogId| applied.is_some_and(|applied| applied.index == other.index && applied != other);
        let misplaced = |last: LogId| applied.is_some_and(|applied| applied > last && applied.index <= last.index);
        if self.last.is_some_and(|last| differs(last) || misplaced(last)) || self.purged.is_some_and(differs) {
            return Some(Gap::Contradiction);
        }
        let ends = self.next().max(next);
        self.committed.is_some_and(|committed| committed.index >= ends).then_some(Gap::Log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::seeds::log_id;
    use proptest::prelude::*;

    fn log(purged: Option<LogId>, last: Option<LogId>, committed: Option<LogId>) -> GroupState {
        let first = purged.map_or(0, |purged| purged.index + 1);
        GroupState { purged, last: last.max(purged), committed, first, ..GroupState::default() }
    }

    #[test]
    fn a_state_that_its_log_goes_on_from_is_whole() {
        let whole = log(Some(log_id(2, 10)), Some(log_id(3, 20)), Some(log_id(3, 18)));
        for applied in [log_id(2, 10), log_id(2, 12), log_id(3, 20)] {
            assert_eq!(whole.gap(Some(applied)), None, "{applied}");
        }
        assert_eq!(whole.gap(Some(log_id(3, 25))), None, "others had confirmed that");
        assert_eq!(log(None, Some(log_id(1, 5)), Some(log_id(1, 5))).gap(None), None, "it is made anew of the log");
        assert_eq!(
            log(None, None, None).gap(Some(log_id(1, 5))),
            None,
            "the whole log is gone: another replica begins"
        );
    }

    #[test]
    fn what_is_missing_is_found() {
        let purged = log(Some(log_id(2, 10)), Some(log_id(3, 20)), Some(log_id(3, 18)));
        assert_eq!(purged.gap(None), Some(Gap::State));
        assert_eq!(purged.gap(Some(log_id(2, 9))), Some(Gap::State));
        assert_eq!(purged.gap(Some(log_id(4, 15))), Some(Gap::Contradiction));
        assert_eq!(purged.gap(Some(log_id(2, 20))), Some(Gap::Contradiction));
        assert_eq!(purged.gap(Some(log_id(1, 10))), Some(Gap::Contradiction));
        let short = log(None, Some(log_id(3, 20)), Some(log_id(3, 22)));
        assert_eq!(short.gap(Some(log_id(3, 19))), Some(Gap::Log));
        assert_eq!(short.gap(Some(log_id(3, 22))), None, "the state has it");
    }

    proptest! {
        #[test]
        fn a_log_that_was_cut_anywhere_behind_its_state_has_no_gap(purged in 0_u64..20, more in 0_u64..20, applied in 0_u64..40) {
            let (purged, last) = (log_id(1, purged), log_id(1, purged + more));
            let applied = log_id(1, applied.clamp(purged.index, last.index));
            prop_assert_eq!(log(Some(purged), Some(last), Some(applied)).gap(Some(applied)), None);
        }
    }
}
