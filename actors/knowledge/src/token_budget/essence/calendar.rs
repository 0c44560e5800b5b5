//! When a budget period ends, in words.

use octopussy_core::agent::Period;
use octopussy_core::time::Timestamp;

/// The end of the period that `now` lies in: `15:00 UTC`, or with its date when that is not today.
#[must_use]
pub fn period_end(period: Period, now: Timestamp) -> String {
    let next = period.number(now).saturating_add(1);
    match period {
        Period::Hour if next.is_multiple_of(24) => date(next / 24),
        Period::Hour => format!("{:02}:00 UTC", next % 24),
        Period::Day => date(next),
        Period::Month => format!("{:04}-{:02}-01 00:00 UTC", 1970 + next / 12, next % 12 + 1),
    }
}

/// Midnight of the day counted from the epoch, by Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> String {
    let shifted = days.saturating_add(719_468);
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let (month, carry) = if march_month < 10 { (march_month + 3, 0) } else { (march_month - 9, 1) };
    format!("{:04}-{month:02}-{day:02} 00:00 UTC", year_of_era + era * 400 + carry)
}
