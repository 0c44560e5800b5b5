//! What an agent has spent, by hour, day and month.

use crate::time::{STANDS_STILL, Timestamp};
use serde::{Deserialize, Serialize};

/// Tokens and money of one model call, or of several added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Usage {
    /// Tokens sent to the model.
    pub prompt_tokens: u64,
    /// Tokens the model answered.
    pub completion_tokens: u64,
    /// Cost in millionths of a US dollar.
    pub cost_micros: u64,
}

impl Usage {
    /// All tokens.
    #[must_use]
    pub const fn tokens(self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_add(other.completion_tokens),
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
        }
    }
}

/// A budget period, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From the first of the month.
    Month,
}

impl Period {
    /// The three periods, shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// The number of the period that `at` lies in, counted from the epoch.
    #[must_use]
    pub const fn number(self, at: Timestamp) -> u64 {
        const HOUR: u64 = 3_600_000;
        let days = at.as_millis() / (24 * HOUR);
        match self {
            Self::Hour => at.as_millis() / HOUR,
            Self::Day => days,
            Self::Month => month_number(days),
        }
    }
}

/// Months since 1970-01 for a day count since 1970-01-01, by Howard Hinnant's `civil_from_days`.
const fn month_number(days: u64) -> u64 {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let (month, carry) = if march_month < 10 { (march_month + 2, 0) } else { (march_month - 10, 1) };
    (year_of_era + era * 400 + carry - 1970) * 12 + month
}

/// What was spent in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Which period, as counted by [`Period::number`].
    pub number: u64,
    /// What was spent in it.
    pub usage: Usage,
}

/// What an agent has spent in the present hour, day and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageWindow {
    spent: [Spent; 3],
    /// When something was last spent.
    at: Timestamp,
}

impl UsageWindow {
    /// Adds `usage` at `now`. Periods that are over start anew, and so do those of a future that was none: `now` is the
    /// shard's time, which goes back only where it was far from right.
    pub fn record(&mut self, usage: Usage, now: Timestamp) {
        let now = self.at.then(now);
        for (period, spent) in Period::ALL.into_iter().zip(&mut self.spent) {
            let number = period.number(now);
            if number != spent.number {
                *spent = Spent { number, usage };
            } else {
                spent.usage = spent.usage.plus(usage);
            }
        }
        self.at = now;
    }

    /// What counts against `period` at `now`. A clock that is a little behind the shard's counts what the shard does; what was
    /// spent in a future that was none does not count.
    #[must_use]
    pub fn spent(&self, period: Period, now: Timestamp) -> Usage {
        let spent = match period {
            Period::Hour => self.spent[0],
            Period::Day => self.spent[1],
            Period::Month => self.spent[2],
        };
        let behind = self.at > now && self.at.since(now) <= STANDS_STILL;
        let number = period.number(if behind { self.at } else { now });
        if number == spent.number { spent.usage } else { Usage::default() }
    }
}

#[cfg(test)]
mod tests;
