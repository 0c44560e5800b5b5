use super::*;
use octopussy_core::agent::{Strategy as Preference, Usage};
use octopussy_core::time::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

fn entry(provider: &str, model: &str, price: f64, quality: f64) -> ModelEntry {
    ModelEntry {
        provider: provider.into(),
        model: model.into(),
        cost_in: price,
        cost_out: price,
        quality,
        context: 0,
        vision: quality > 0.8,
        size_b: 7.0,
        local: None,
        tags: Vec::new(),
    }
}

fn offer<'a>(name: &'a str, model: &'a str, local: bool) -> Offer<'a> {
    Offer { name, kind: "openai", model, local, cost_in: 0.0, cost_out: 0.0 }
}

#[test]
fn strategies_order_by_what_they_say() {
    let table = RoutingTable {
        models: vec![entry("a", "big", 10.0, 0.95), entry("a", "mid", 1.0, 0.7), entry("b", "own", 0.0, 0.4)],
    };
    let offers = [offer("a", "mid", false), offer("b", "own", true)];
    let first =
        |strategy, vision| choose(&table, &offers, strategy, None, vision, false).first().map(|c| c.model.clone());
    assert_eq!(first(Preference::Cost, false).as_deref(), Some("own"));
    assert_eq!(first(Preference::Quality, false).as_deref(), Some("big"));
    assert_eq!(first(Preference::Local, false).as_deref(), Some("own"));
    assert_ne!(first(Preference::Cloud, false).as_deref(), Some("own"));
    assert_eq!(first(Preference::Cost, true).as_deref(), Some("big"), "only the big one sees");
    assert_eq!(first(Preference::Local, true), None);
}

#[test]
fn a_call_that_costs_is_never_free() {
    let usage = Usage { prompt_tokens: 1, completion_tokens: 0, cost_micros: 0 };
    assert_eq!(cost_micros(usage, 0.1, 0.1), 1);
    assert_eq!(
        cost_micros(Usage { prompt_tokens: 1_000_000, completion_tokens: 1_000_000, cost_micros: 0 }, 3.0, 15.0),
        18_000_000
    );
    assert_eq!(cost_micros(usage, 0.0, 0.0), 0);
}

#[test]
fn an_open_circuit_lets_one_call_through_after_a_while() {
    let mut breaker = Breaker::default();
    let now = Timestamp::from_millis(1_000_000);
    for _ in 0..TRIP_AFTER {
        assert!(breaker.permits(now));
        breaker.failed(now);
    }
    assert!(!breaker.permits(now));
    let later = now.plus(OPEN_FOR);
    assert!(breaker.permits(later), "half open");
    assert!(!breaker.permits(later), "but only one");
    breaker.failed(later);
    assert!(!breaker.permits(later.plus(Duration::from_secs(1))));
    assert!(breaker.permits(later.plus(OPEN_FOR)));
    breaker.succeeded();
    assert!(breaker.permits(later) && breaker.permits(later));
}

proptest! {
    #[test]
    fn pauses_are_bounded(retry in 0u32..10, requested in proptest::option::of(0u64..100), random in 0.0f64..1.0) {
        match backoff(retry, requested.map(Duration::from_secs), random) {
            Some(pause) => {
                prop_assert!(retry < MAX_RETRIES && pause <= Duration::from_secs(11));
                prop_assert!(requested.is_none_or(|requested| pause >= Duration::from_secs(requested)));
            }
            None => prop_assert!(retry >= MAX_RETRIES || requested.is_some_and(|requested| requested > 10)),
        }
    }

    #[test]
    fn a_breaker_opens_only_after_failures_in_a_row_and_never_for_good(outcomes in prop::collection::vec(any::<bool>(), 0..60)) {
        let mut breaker = Breaker::default();
        let mut now = Timestamp::from_millis(1);
        let mut row = 0;
        for outcome in outcomes {
            now = now.plus(Duration::from_millis(10));
            if breaker.permits(now) {
                if outcome { breaker.succeeded(); row = 0 } else { breaker.failed(now); row += 1 }
            } else {
                prop_assert!(row >= TRIP_AFTER);
            }
        }
        prop_assert!(breaker.permits(now.plus(OPEN_FOR)));
    }

    #[test]
    fn every_choice_is_on_offer(prices in prop::collection::vec((0.0f64..50.0, 0.0f64..1.0), 1..8), which in 0usize..5, gpu: bool, vision: bool) {
        let models = prices.iter().enumerate().map(|(i, (price, quality))| entry(if i % 2 == 0 { "a" } else { "gone" }, &format!("m{i}"), *price, *quality)).collect();
        let table = RoutingTable { models };
        let strategy = [Preference::Cost, Preference::Quality, Preference::Balanced, Preference::Local, Preference::Cloud][which];
        let chosen = choose(&table, &[offer("a", "m0", false)], strategy, None, vision, gpu);
        for choice in &chosen {
            prop_assert_eq!(&choice.provider, "a");
        }
        prop_assert_eq!(chosen.is_empty(), strategy == Preference::Local || (vision && !table.models.iter().any(|m| m.provider == "a" && m.vision)));
    }
}
