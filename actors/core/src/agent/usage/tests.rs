//! Periods against a calendar counted by hand, and windows against a record of everything.

use super::{Period, Usage, UsageWindow};
use crate::time::Timestamp;
use proptest::prelude::*;

const DAY: u64 = 86_400_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn tokens(count: u64) -> Usage {
    Usage { prompt_tokens: count, completion_tokens: 0, cost_micros: count }
}

#[test]
fn months_follow_the_calendar_for_four_centuries() {
    let (mut day, mut month) = (0u64, 0u64);
    for year in 1970u64..2400 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for days in [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            assert_eq!(Period::Month.number(at(day * DAY)), month, "the first of month {month}");
            day += days;
            assert_eq!(Period::Month.number(at(day * DAY - 1)), month, "the last moment of month {month}");
            month += 1;
        }
    }
}

#[test]
fn known_moments_have_known_numbers() {
    // 2024-02-29T23:59:59.999Z, the last moment of a leap day, and the one after it.
    let leap = at(1_709_251_199_999);
    assert_eq!(Period::Month.number(leap), (2024 - 1970) * 12 + 1);
    assert_eq!(Period::Month.number(at(1_709_251_200_000)), (2024 - 1970) * 12 + 2);
    assert_eq!(Period::Day.number(leap), 19_782);
    assert_eq!(Period::Hour.number(leap), 19_782 * 24 + 23);
    assert_eq!(Period::ALL.map(|period| period.number(Timestamp::EPOCH)), [0, 0, 0]);
}

#[test]
fn the_end_of_time_has_a_number_too() {
    for period in Period::ALL {
        assert!(period.number(at(u64::MAX)) > period.number(at(u64::MAX / 2)));
    }
}

#[test]
fn a_new_hour_starts_anew_while_the_day_goes_on() {
    let mut window = UsageWindow::default();
    window.record(tokens(10), at(DAY));
    window.record(tokens(5), at(DAY + 3_600_000));
    assert_eq!(Period::ALL.map(|period| window.spent(period, at(DAY + 3_600_000)).tokens()), [5, 15, 15]);
    assert_eq!(window.spent(Period::Hour, at(DAY + 7_200_000)), Usage::default(), "nobody has spent in this hour");
}

#[test]
fn what_was_spent_in_a_future_that_was_none_stops_nobody() {
    let mut window = UsageWindow::default();
    window.record(tokens(1_000), at(365 * DAY));
    let now = at(DAY);
    assert_eq!(Period::ALL.map(|period| window.spent(period, now)), [Usage::default(); 3], "the clock is right again");
    window.record(tokens(10), now);
    assert_eq!(Period::ALL.map(|period| window.spent(period, now).tokens()), [10; 3], "and counts from then on");
    assert_eq!(window.spent(Period::Hour, at(DAY + 3_600_000)), Usage::default(), "the next hour starts anew");
}

#[test]
fn spending_never_overflows() {
    let mut window = UsageWindow::default();
    let all = Usage { prompt_tokens: u64::MAX, completion_tokens: u64::MAX, cost_micros: u64::MAX };
    window.record(all, at(DAY));
    window.record(all, at(DAY));
    assert_eq!(window.spent(Period::Day, at(DAY)), all);
    assert_eq!(all.tokens(), u64::MAX);
}

proptest! {
    /// As long as the clock goes forward, a window holds exactly what was spent in the present period.
    #[test]
    fn a_window_holds_what_was_spent_in_its_period(steps in prop::collection::vec((0u64..40 * DAY, 0u64..1000), 1..60)) {
        let mut steps = steps;
        steps.sort_unstable();
        let mut window = UsageWindow::default();
        for (index, (now, count)) in steps.iter().enumerate() {
            window.record(tokens(*count), at(*now));
            for period in Period::ALL {
                let same = |(then, _): &&(u64, u64)| period.number(at(*then)) == period.number(at(*now));
                let expected: u64 = steps[..=index].iter().filter(same).map(|(_, count)| count).sum();
                prop_assert_eq!(window.spent(period, at(*now)).tokens(), expected);
            }
        }
    }

    /// A reader's clock that is a little behind never makes what was spent smaller.
    #[test]
    fn a_clock_that_is_a_little_behind_buys_nothing(
        steps in prop::collection::vec((0u64..40 * DAY, 1u64..1000), 1..60),
        back in 0u64..=60_000,
    ) {
        let mut window = UsageWindow::default();
        for (now, count) in steps {
            let before = Period::ALL.map(|period| window.spent(period, at(now)).tokens());
            window.record(tokens(count), at(now));
            for (period, before) in Period::ALL.into_iter().zip(before) {
                prop_assert_eq!(window.spent(period, at(now)).tokens(), before + count);
                let earlier = at(now.saturating_sub(back));
                prop_assert!(window.spent(period, earlier).tokens() >= before + count);
            }
        }
    }
}
