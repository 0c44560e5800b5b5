//! The clock of one group, as its leader keeps it. Pure: what the clocks show comes from outside.

use octopussy_core::time::Timestamp;
use std::time::Duration;

/// By how much this node's clock may have moved beyond the time that has passed before it is taken for one that was set.
/// Nothing else than this node says so, so it must be little; a clock that is only kept by adjusting it never leaps so far.
const LEAP: Duration = Duration::from_secs(60);

/// Where the time may be taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::groups) enum Source {
    /// From what most members' clocks show.
    Majority(Timestamp),
    /// From this node's clock, of which nobody says that it is wrong.
    Own(Timestamp),
    /// From none: the group's time goes on as time passes.
    None,
}

/// What a stamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::groups) struct Stamp {
    /// The time.
    pub(in crate::groups) at: Timestamp,
    /// By how much this node's clock has leaped, when it is not followed for that reason.
    pub(in crate::groups) leap: Option<Duration>,
}

/// The last stamp.
#[derive(Debug, Clone, Copy)]
struct Last {
    at: Timestamp,
    /// When that was, by a clock that nobody sets.
    steady: Duration,
    /// Whether some clock was believed since this node leads, so that it is known how far its own may have gone on.
    believed: bool,
}

/// The group's time.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::groups) struct Stamper {
    last: Option<Last>,
}

impl Stamper {
    /// Whether there was a stamp before.
    pub(in crate::groups) const fn has_stamped(&self) -> bool {
        self.last.is_some()
    }

    /// The time now. `known` is the group's time as it is applied here; `steady` a clock that nobody sets.
    pub(in crate::groups) fn stamp(&mut self, known: Timestamp, source: Source, steady: Duration) -> Stamp {
        // Somebody else has led meanwhile, or this process has not yet: how long ago that was is not known.
        let fresh = Last { at: known, steady, believed: false };
        let last = self.last.filter(|last| last.at >= known).unwrap_or(fresh);
        let expected = last.at.plus(steady.saturating_sub(last.steady));
        let (at, leap) = match source {
            Source::Majority(time) => (last.at.then(time), None),
            Source::Own(time) => {
                let leap = time.since(expected).max(expected.since(time));
                if last.believed && leap > LEAP { (expected, Some(leap)) } else { (last.at.then(time), None) }
            }
            Source::None => (expected, None),
        };
        let believed = match source {
            Source::Majority(_) | Source::Own(_) => true,
            Source::None => last.believed,
        };
        self.last = Some(Last { at, steady, believed });
        Stamp { at, leap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_clock_that_leaps_while_its_node_leads_alone_is_not_followed() {
        let mut stamper = Stamper::default();
        assert_eq!(stamper.stamp(at(0), Source::Own(at(HOUR)), secs(1)).at, at(HOUR), "after a start it is believed");
        for wrong in [at(3 * HOUR), at(0)] {
            let stamp = stamper.stamp(at(HOUR), Source::Own(wrong), secs(11));
            assert_eq!(stamp.at, at(HOUR + 10), "time goes on as it passes");
            assert!(stamp.leap.is_some_and(|leap| leap > secs(HOUR - 60)), "and it is told");
        }
        let stamp = stamper.stamp(at(HOUR), Source::Own(at(HOUR + 22)), secs(21));
        assert_eq!((stamp.at, stamp.leap), (at(HOUR + 22), None), "a clock that is right again is followed again");
    }

    #[test]
    fn without_a_clock_to_believe_time_goes_on_as_it_passes() {
        let mut stamper = Stamper::default();
        assert_eq!(stamper.stamp(at(HOUR), Source::None, secs(100)).at, at(HOUR));
        assert_eq!(stamper.stamp(at(HOUR), Source::None, secs(105)).at, at(HOUR + 5));
        let mut late = stamper;
        let stamp = late.stamp(at(HOUR), Source::Own(at(9 * HOUR)), secs(106));
        assert_eq!((stamp.at, stamp.leap), (at(9 * HOUR), None), "the first clock that is believed after a long rest");
        assert_eq!(stamper.stamp(at(HOUR), Source::Majority(at(9 * HOUR)), secs(106)).at, at(9 * HOUR));
    }

    #[test]
    fn what_was_stamped_by_a_clock_hours_ahead_heals_and_small_differences_stand_still() {
        let mut stamper = Stamper::default();
        let healed = stamper.stamp(at(5 * HOUR), Source::Majority(at(3 * HOUR)), secs(1));
        assert_eq!(healed.at, at(3 * HOUR));
        let mut stamper = Stamper::default();
        assert_eq!(stamper.stamp(at(HOUR), Source::Own(at(HOUR - 20)), secs(1)).at, at(HOUR), "it stands still");
        assert_eq!(stamper.stamp(at(HOUR), Source::Own(at(HOUR + 1)), secs(22)).at, at(HOUR + 1));
    }

    #[test]
    fn a_leader_that_leads_again_goes_on_where_the_others_came_to() {
        let mut stamper = Stamper::default();
        stamper.stamp(at(0), Source::Majority(at(10)), secs(1));
        let stamp = stamper.stamp(at(50), Source::None, secs(30));
        assert_eq!(stamp.at, at(50));
        assert_eq!(stamper.stamp(at(50), Source::None, secs(31)).at, at(51));
    }
}
