//! Which time most clocks show. Pure.

use super::clocks::MAX_SKEW;
use octopussy_core::time::Timestamp;

/// What the clocks that were measured say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    /// A majority of the members agrees on this time.
    Majority(Timestamp),
    /// No majority was measured, but all that were agree with this node's own clock.
    Undisputed,
    /// Clocks differ, and there is no majority to tell which are right.
    Disputed,
}

/// What `others` and `own` say together, all at the same moment, in a cluster of so many members.
pub(super) fn agree(own: Timestamp, others: &[Timestamp], members: usize) -> Agreement {
    let mut clocks: Vec<Timestamp> = others.to_vec();
    clocks.push(own);
    clocks.sort_unstable();
    let together = (0..clocks.len()).map(|first| {
        let rest = clocks.get(first..).unwrap_or_default();
        let within = rest.iter().take_while(|clock| clock.since(clocks[first]) <= MAX_SKEW).count();
        rest.get(..within).unwrap_or_default()
    });
    let most = together.max_by_key(|clocks| clocks.len()).unwrap_or_default();
    if most.len() * 2 > members
        && let Some(middle) = most.get(most.len() / 2)
    {
        return Agreement::Majority(*middle);
    }
    if most.len() == clocks.len() { Agreement::Undisputed } else { Agreement::Disputed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn one_clock_that_is_hours_ahead_or_behind_moves_nobody() {
        for wrong in [at(0), at(20_000)] {
            let right = at(10_000);
            assert_eq!(agree(right, &[at(10_001), wrong], 3), Agreement::Majority(at(10_001)));
            assert_eq!(agree(wrong, &[right, at(10_001)], 3), Agreement::Majority(at(10_001)), "nor itself");
            assert_eq!(agree(right, &[wrong], 3), Agreement::Disputed, "with the third away nobody can tell");
            assert_eq!(agree(right, &[wrong], 2), Agreement::Disputed);
        }
    }

    #[test]
    fn clocks_that_agree_are_trusted_whoever_is_away() {
        assert_eq!(agree(at(5), &[], 1), Agreement::Majority(at(5)));
        assert_eq!(agree(at(5), &[], 2), Agreement::Undisputed);
        assert_eq!(agree(at(5), &[at(6)], 5), Agreement::Undisputed);
        assert_eq!(agree(at(5), &[at(6)], 3), Agreement::Majority(at(6)));
        assert_eq!(agree(at(5), &[at(500), at(900)], 3), Agreement::Disputed, "three opinions");
    }

    #[test]
    fn the_middle_of_those_that_agree_counts() {
        let others = [at(100), at(110), at(120), at(90)];
        assert_eq!(agree(at(105), &others, 5), Agreement::Majority(at(105)));
        let far = at(100).plus(Duration::from_secs(3_600));
        assert_eq!(agree(far, &[at(100), at(101), at(102), far], 5), Agreement::Majority(at(101)));
    }
}
