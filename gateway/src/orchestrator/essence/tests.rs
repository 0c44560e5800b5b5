//! The orchestrator's rules.

use super::{MAX_CONSTRAINTS, MAX_DOCUMENT_BYTES, MAX_INPUT_BYTES, attempts, check, choose, fingerprint, ttl};
use crate::tests::agent_record;
use octopussy_core::agent::{AgentRecord, Desired};
use octopussy_core::ids::AgentId;
use octopussy_core::message::Priority;
use octopussy_core::ports::{SubmitTask, TaskRequestDocument};
use octopussy_core::problem::Code;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn task(input: &str) -> SubmitTask {
    SubmitTask {
        agent: None,
        input: input.to_owned(),
        history: Vec::new(),
        constraints: Vec::new(),
        documents: Vec::new(),
        priority: Priority::Normal,
        ttl: None,
        max_attempts: None,
        idempotency_key: None,
        trace_id: None,
    }
}

fn document(bytes: usize) -> TaskRequestDocument {
    TaskRequestDocument { name: "a.md".to_owned(), text: "x".repeat(bytes) }
}

#[test]
fn a_request_is_taken_up_to_its_bounds_and_not_beyond() {
    let edge = SubmitTask {
        constraints: vec!["short".to_owned(); MAX_CONSTRAINTS],
        documents: vec![document(MAX_DOCUMENT_BYTES)],
        ttl: Some(Duration::from_secs(7 * 24 * 3600)),
        max_attempts: Some(10),
        idempotency_key: Some("k".repeat(255)),
        ..task(&"x".repeat(MAX_INPUT_BYTES))
    };
    check(&edge).unwrap();
    let over = [
        (SubmitTask { input: "x".repeat(MAX_INPUT_BYTES + 1), ..edge.clone() }, Code::PayloadTooLarge),
        (
            SubmitTask { documents: vec![document(MAX_DOCUMENT_BYTES), document(1)], ..edge.clone() },
            Code::PayloadTooLarge,
        ),
        (SubmitTask { input: " \n".to_owned(), ..edge.clone() }, Code::Unprocessable),
        (SubmitTask { constraints: vec![String::new(); MAX_CONSTRAINTS + 1], ..edge.clone() }, Code::Unprocessable),
        (SubmitTask { ttl: Some(Duration::from_secs(7 * 24 * 3600 + 1)), ..edge.clone() }, Code::Unprocessable),
        (SubmitTask { ttl: Some(Duration::ZERO), ..edge.clone() }, Code::Unprocessable),
        (SubmitTask { max_attempts: Some(11), ..edge.clone() }, Code::Unprocessable),
        (SubmitTask { max_attempts: Some(0), ..edge.clone() }, Code::Unprocessable),
        (SubmitTask { idempotency_key: Some("k".repeat(256)), ..edge.clone() }, Code::Unprocessable),
        (SubmitTask { idempotency_key: Some("a\nb".to_owned()), ..edge }, Code::Unprocessable),
    ];
    for (index, (request, code)) in over.into_iter().enumerate() {
        assert_eq!(check(&request).unwrap_err().code, code, "case {index}");
    }
}

#[test]
fn absent_settings_have_their_defaults() {
    assert_eq!(ttl(&task("x")).unwrap(), Duration::from_secs(300));
    assert_eq!(attempts(&task("x")).unwrap(), 3);
}

#[test]
fn the_fingerprint_changes_with_the_meaning_and_with_nothing_else() {
    let base = fingerprint(&task("x"));
    let same = SubmitTask { idempotency_key: Some("other".to_owned()), ..task("x") };
    assert_eq!(base, fingerprint(&same));
    let other = [
        task("y"),
        SubmitTask { agent: Some(AgentId::from_name("a")), ..task("x") },
        SubmitTask { constraints: vec!["c".to_owned()], ..task("x") },
        SubmitTask { history: vec![("user".to_owned(), "c".to_owned())], ..task("x") },
        SubmitTask { documents: vec![document(1)], ..task("x") },
        SubmitTask { priority: Priority::High, ..task("x") },
        SubmitTask { ttl: Some(Duration::from_secs(9)), ..task("x") },
        SubmitTask { max_attempts: Some(1), ..task("x") },
    ];
    let mut seen: Vec<_> = other.iter().map(fingerprint).chain([base]).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), other.len() + 1);
}

fn agents() -> Vec<Arc<AgentRecord>> {
    vec![
        Arc::new(agent_record("poet", "Writes poems about the sea.", "Write verses that people remember.")),
        Arc::new(agent_record(
            "billing",
            "Answers questions about invoices.",
            "Explain every invoice to the customer.",
        )),
        Arc::new(agent_record("helper", "Answers questions.", "Help the customer with everything.")),
    ]
}

#[test]
fn an_unaddressed_task_goes_where_its_words_are() {
    let agents = agents();
    let chosen = |input: &str| choose(&agents, input);
    assert_eq!(chosen("Why are there two invoices for May?"), Some(AgentId::from_name("billing")));
    assert_eq!(chosen("a POEM, please"), Some(AgentId::from_name("poet")));
    assert_eq!(chosen("zzz qqq"), None);
    assert_eq!(choose(&[], "anything"), None);
}

#[test]
fn a_stopped_agent_is_never_chosen_and_an_only_one_always() {
    let mut agents = agents();
    let mut stopped = (*agents[1]).clone();
    stopped.desired = Desired::Stopped;
    agents[1] = Arc::new(stopped);
    assert_ne!(choose(&agents, "the invoice"), Some(AgentId::from_name("billing")));
    assert_eq!(choose(&agents[..1], "zzz"), Some(AgentId::from_name("poet")));
}

proptest! {
    #[test]
    fn moving_text_between_fields_changes_the_fingerprint(a in "[a-z]{1,8}", b in "[a-z]{1,8}") {
        let one = SubmitTask { constraints: vec![format!("{a}{b}")], ..task("x") };
        let two = SubmitTask { constraints: vec![a, b], ..task("x") };
        prop_assert_ne!(fingerprint(&one), fingerprint(&two));
    }

    #[test]
    fn any_input_is_chosen_for_or_not_without_a_panic(input in ".*") {
        let _ = choose(&agents(), &input);
    }
}
