//! Spending against limits.

use super::period_end;
use octopussy_core::agent::{Budget, Period, UsageWindow};
use octopussy_core::ports::{BudgetReport, BudgetVerdict, PeriodReport};
use octopussy_core::time::Timestamp;

/// What was spent of what, in all periods.
#[must_use]
pub fn report(usage: &UsageWindow, budget: &Budget, now: Timestamp) -> BudgetReport {
    BudgetReport {
        periods: Period::ALL.map(|period| {
            let (token_limit, cost_limit) = match period {
                Period::Hour => (budget.tokens_per_hour, budget.cost_per_hour),
                Period::Day => (budget.tokens_per_day, budget.cost_per_day),
                Period::Month => (budget.tokens_per_month, budget.cost_per_month),
            };
            PeriodReport { period, spent: usage.spent(period, now), token_limit, cost_limit }
        }),
    }
}

/// Whether the agent may spend. Of several exhausted periods the longest is named, because waiting for a shorter one to pass
/// would not help.
#[must_use]
pub fn check(usage: &UsageWindow, budget: &Budget, now: Timestamp) -> BudgetVerdict {
    let report = report(usage, budget, now);
    match report.periods.iter().rev().find(|period| period.is_exhausted()) {
        Some(exhausted) => BudgetVerdict::Exhausted { period: exhausted.period, detail: detail(exhausted, now) },
        None => BudgetVerdict::Within,
    }
}

fn detail(report: &PeriodReport, now: Timestamp) -> String {
    let word = match report.period {
        Period::Hour => "hour",
        Period::Day => "day",
        Period::Month => "month",
    };
    let end = period_end(report.period, now);
    let spent = report.spent.tokens();
    if spent >= report.token_limit {
        return format!(
            "budget of {} tokens per {word} is spent ({spent}): raise budget.tokens_per_{word} or wait until {end}",
            report.token_limit
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "dollars need no more than 53 bits")]
    let dollars = report.spent.cost_micros as f64 / 1e6;
    format!(
        "budget of {} USD per {word} is spent ({dollars:.4}): raise budget.cost_per_{word} or wait until {end}",
        report.cost_limit.unwrap_or_default()
    )
}
