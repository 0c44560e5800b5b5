//! Models that stand at another node.

use super::*;
use octopussy_mesh::memory::Network;

const HERE: NodeId = NodeId([1; 16]);
const THERE: NodeId = NodeId([2; 16]);
const GUEST: NodeId = NodeId([3; 16]);

struct Two {
    network: Network,
    here: (LlmRouterHandle, Arc<Shared>),
    there: (LlmRouterHandle, Arc<Shared>),
}

/// A node without any provider, and one with `section`.
fn two(section: &Value, nothing: Value) -> Two {
    with(THERE, section, nothing)
}

/// The same with a guest.
fn with_guest(section: &Value, nothing: Value) -> Two {
    with(GUEST, section, nothing)
}

fn with(there: NodeId, section: &Value, nothing: Value) -> Two {
    let network = Network::new(7);
    let node = |id: NodeId, section: Value| {
        let fakes = Fakes::new(section.clone());
        let (handle, shared, _) = router_on(serde_json::from_value(section).unwrap(), fakes, network.node(id, 1));
        (handle, shared)
    };
    let there = node(there, section.clone());
    let here = node(HERE, nothing);
    Two { network, here, there }
}

fn section(url: &str) -> Value {
    json!({"health_interval_seconds": 0, "providers": {"house": {"url": url, "model": "m"}}})
}

#[tokio::test]
async fn an_agent_here_uses_the_model_server_there() {
    let (url, script) = serve(&[]).await;
    let two = two(&section(&url), json!({"health_interval_seconds": 0}));
    assert!(two.here.0.resolve(&of("house")).is_err(), "nobody has said what there is");
    two.here.1.peers.refresh().await;
    let (answer, streamed) = ask(&two.here.0, &of("house"), LONG).await;
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), streamed.as_str()), ("Hello", "Hello"));
    assert_eq!(answer.usage.tokens(), 13, "whoever asks pays: the usage comes along");
    assert!(answer.by.starts_with("house@"), "{}", answer.by);
    // Agents that name nobody find it, too.
    let (answer, _) = ask(&two.here.0, &Intelligence::default(), LONG).await;
    assert_eq!(answer.unwrap().text, "Hello");
    let seen = script.seen.lock();
    assert_eq!(seen.len(), 2);
    for call in seen.iter() {
        let told = call.headers.get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(
            TraceId::from_traceparent(told),
            Some(trace()),
            "the caller's trace did not reach the model: {told:?}"
        );
    }
}

#[tokio::test]
async fn when_that_machine_goes_the_fallback_answers() {
    let (url, _script) = serve(&[]).await;
    let two = two(&section(&url), json!({"health_interval_seconds": 0}));
    two.here.1.peers.refresh().await;
    let with_fallback = Intelligence {
        fallback: Some(octopussy_core::agent::Fallback { provider: "builtin".into(), model: None }),
        ..of("house")
    };
    let model = two.here.0.resolve(&with_fallback).unwrap();
    two.network.stop(THERE);
    let answer = model.complete(&request(LONG), &|_| ()).await.unwrap();
    assert!(answer.by.starts_with("builtin/"), "{}", answer.by);
    two.here.1.peers.refresh().await;
    let gone = model.complete(&request(LONG), &|_| ()).await.unwrap();
    assert!(gone.by.starts_with("builtin/"), "{}", gone.by);
}

#[tokio::test]
async fn the_callers_deadline_holds_there() {
    let (url, _script) = serve(&[Act::Hang]).await;
    let two = two(&section(&url), json!({"health_interval_seconds": 0}));
    two.here.1.peers.refresh().await;
    let (answer, _) = ask(&two.here.0, &of("house"), Duration::from_millis(200)).await;
    assert!(matches!(answer, Err(LlmError::Timeout { .. })), "{answer:?}");
}

#[tokio::test]
async fn what_is_not_on_machines_of_our_own_is_not_lent() {
    let far =
        json!({"health_interval_seconds": 0, "providers": {"far": {"url": "https://models.example", "model": "m"}}});
    let two = two(&far, json!({"health_interval_seconds": 0}));
    two.here.1.peers.refresh().await;
    assert!(two.here.0.resolve(&of("far")).is_err());
}

#[tokio::test]
async fn a_guests_model_is_asked_only_when_it_is_named() {
    let (url, script) = serve(&[]).await;
    for (borrow_from, asked) in [
        (json!(["members"]), false),
        (json!([]), false),
        (json!(["other@tower"]), false),
        (json!(["house@tower"]), true),
        (json!(["tower"]), true),
    ] {
        let two = with_guest(&section(&url), json!({"health_interval_seconds": 0, "borrow_from": borrow_from}));
        two.here.1.peers.refresh().await;
        let before = script.seen.lock().len();
        let (answer, _) = ask(&two.here.0, &Intelligence::default(), LONG).await;
        assert_eq!(script.seen.lock().len() > before, asked, "{borrow_from}");
        assert_eq!(answer.unwrap().by.starts_with("house@"), asked, "{borrow_from}");
        assert_eq!(two.here.0.resolve(&of("house")).is_ok(), asked, "{borrow_from}");
    }
}

#[tokio::test]
async fn what_has_to_stay_on_machines_of_our_own_does_not_go_to_a_guest() {
    let (url, script) = serve(&[]).await;
    let two = with_guest(&section(&url), json!({"health_interval_seconds": 0, "borrow_from": ["tower", "members"]}));
    two.here.1.peers.refresh().await;
    let local = Intelligence { strategy: octopussy_core::agent::Strategy::Local, ..Intelligence::default() };
    let (answer, _) = ask(&two.here.0, &local, LONG).await;
    assert!(answer.unwrap().by.starts_with("builtin/"));
    assert!(script.seen.lock().is_empty());
}

#[tokio::test]
async fn a_model_is_lent_to_those_who_are_named_and_no_other_model_than_the_one_that_is() {
    let (url, script) = serve(&[]).await;
    let lent = |lend_to: Value, lend: bool| {
        json!({"health_interval_seconds": 0, "lend_to": lend_to,
            "providers": {"house": {"url": url, "model": "m", "lend": lend}}})
    };
    for (section, offered) in [
        (lent(json!(["members"]), true), true),
        (lent(json!(["attic"]), true), true),
        (lent(json!(["attic"]), false), false),
        (lent(json!([]), true), false),
        (lent(json!(["tower"]), true), false),
    ] {
        let two = two(&section, json!({"health_interval_seconds": 0}));
        two.here.1.peers.refresh().await;
        assert_eq!(two.here.0.resolve(&of("house")).is_ok(), offered, "{section}");
        let there = &two.there.1;
        let asked = |model: &str| super::super::peer_wire::Lent { provider: "house".into(), model: model.into() };
        let allowed = there.lend(HERE, &asked("m"), &request(LONG), &|_| ()).await;
        assert_eq!(allowed.is_ok(), offered, "{section}: {allowed:?}");
        let seen = script.seen.lock().len();
        let other = there.lend(HERE, &asked("something-dearer"), &request(LONG), &|_| ()).await;
        assert!(matches!(other, Err(LlmError::Rejected { .. })), "{other:?}");
        assert_eq!(script.seen.lock().len(), seen, "the server was asked for a model that is not lent");
    }
}
