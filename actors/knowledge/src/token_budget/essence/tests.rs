use super::*;
use octopussy_core::agent::{Budget, Period, Usage, UsageWindow};
use octopussy_core::ports::BudgetVerdict;
use octopussy_core::time::Timestamp;
use proptest::prelude::*;

/// 2026-11-20T14:17:27Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_184_247_000);

fn spent(tokens: u64, cost_micros: u64) -> UsageWindow {
    let mut window = UsageWindow::default();
    window.record(Usage { prompt_tokens: tokens, completion_tokens: 0, cost_micros }, NOW);
    window
}

#[test]
fn the_detail_says_how_to_go_on() {
    let BudgetVerdict::Exhausted { period, detail } = check(&spent(10_234, 0), &Budget::default(), NOW) else {
        panic!("the hour is spent")
    };
    assert_eq!(period, Period::Hour);
    assert_eq!(
        detail,
        "budget of 10000 tokens per hour is spent (10234): raise budget.tokens_per_hour or wait until 15:00 UTC"
    );
    assert_eq!(period_end(Period::Day, NOW), "2026-11-21 00:00 UTC");
    assert_eq!(period_end(Period::Month, NOW), "2026-12-01 00:00 UTC");
}

#[test]
fn any_period_and_the_money_count() {
    let mut budget = Budget { cost_per_month: Some(0.5), ..Budget::default() };
    assert_eq!(check(&spent(9_999, 499_999), &budget, NOW), BudgetVerdict::Within);
    let BudgetVerdict::Exhausted { period, detail } = check(&spent(1, 500_000), &budget, NOW) else {
        panic!("the month's money is spent")
    };
    assert_eq!(period, Period::Month);
    assert!(detail.contains("budget.cost_per_month"), "{detail}");
    budget.tokens_per_day = 5;
    assert!(matches!(check(&spent(5, 0), &budget, NOW), BudgetVerdict::Exhausted { period: Period::Day, .. }));
}

proptest! {
    #[test]
    fn the_verdict_is_exhausted_exactly_when_a_period_is(tokens in 0u64..2_000_000, cost in 0u64..3_000_000, limit in proptest::option::of(0.0f64..3.0)) {
        let budget = Budget { cost_per_day: limit, ..Budget::default() };
        let window = spent(tokens, cost);
        let any = report(&window, &budget, NOW).periods.iter().any(|period| period.is_exhausted());
        prop_assert_eq!(any, check(&window, &budget, NOW) != BudgetVerdict::Within);
        // A month later everything is open again, unless a limit is nothing at all.
        if limit != Some(0.0) {
            let later = NOW.plus(std::time::Duration::from_secs(32 * 86_400));
            prop_assert_eq!(check(&window, &budget, later), BudgetVerdict::Within);
        }
    }
}
