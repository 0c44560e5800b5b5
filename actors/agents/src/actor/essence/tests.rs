//! The pure rules of an agent.

use super::*;
use octopussy_core::agent::{AgentState, Pattern, Period, Reasoning, Usage};
use octopussy_core::ids::{Epoch, MessageId, PartyId, TaskId, TraceId};
use octopussy_core::message::{
    KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey, VerifyError,
};
use octopussy_core::ports::{BudgetVerdict, ScanVerdict};
use octopussy_core::task::{MAX_JOURNAL_BYTES, StepKind, StepOutcome, StepRecord};
use octopussy_core::time::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[derive(Default)]
struct Script {
    fails: Option<usize>,
    asked: Vec<usize>,
}

impl Script {
    fn ask(&mut self, step: usize) -> bool {
        self.asked.push(step);
        self.fails == Some(step)
    }
}

impl Checks for Script {
    fn signature(&mut self) -> Result<(), VerifyError> {
        if self.ask(0) { Err(VerifyError::BadSignature) } else { Ok(()) }
    }
    fn is_expired(&mut self) -> bool {
        self.ask(1)
    }
    fn is_control(&mut self) -> bool {
        self.ask(2)
    }
    fn read(&mut self) -> Result<(), String> {
        if self.ask(3) { Err("no".to_owned()) } else { Ok(()) }
    }
    fn scan(&mut self) -> ScanVerdict {
        if self.ask(4) { ScanVerdict::Injection { rule: "r" } } else { ScanVerdict::Clean }
    }
    fn budget(&mut self) -> BudgetVerdict {
        if self.ask(5) {
            BudgetVerdict::Exhausted { period: Period::Hour, detail: "spent".to_owned() }
        } else {
            BudgetVerdict::Within
        }
    }
}

#[test]
fn the_chain_runs_in_order_and_stops_at_the_first_rejection() {
    let labels = [
        Some("bad_signature"),
        Some("expired"),
        None,
        Some("unreadable"),
        Some("quarantined"),
        Some("budget_exhausted"),
    ];
    for (fails, label) in labels.into_iter().enumerate() {
        let mut script = Script { fails: Some(fails), asked: Vec::new() };
        let verdict = inbound(&mut script);
        assert_eq!(script.asked, (0..=fails).collect::<Vec<_>>(), "no later step is asked");
        assert_eq!(verdict.rejection(), label);
        assert_ne!(verdict, Verdict::Process);
    }
    let mut script = Script::default();
    assert_eq!(inbound(&mut script), Verdict::Process);
    assert_eq!(script.asked, [0, 1, 2, 3, 4, 5]);
}

/// A rotation takes a moment to reach every node; what was signed meanwhile is no forgery.
#[test]
fn an_unknown_key_is_waited_for_until_the_message_expires() {
    struct Unknown(bool);
    impl Checks for Unknown {
        fn signature(&mut self) -> Result<(), VerifyError> {
            Err(VerifyError::UnknownKey(KeyId(9)))
        }
        fn is_expired(&mut self) -> bool {
            self.0
        }
        fn is_control(&mut self) -> bool {
            panic!("an unverified message is looked into")
        }
        fn read(&mut self) -> Result<(), String> {
            panic!("an unverified message is looked into")
        }
        fn scan(&mut self) -> ScanVerdict {
            panic!("an unverified message is looked into")
        }
        fn budget(&mut self) -> BudgetVerdict {
            panic!("an unverified message is looked into")
        }
    }
    assert_eq!(inbound(&mut Unknown(false)), Verdict::UnknownKey(KeyId(9)));
    assert_eq!(inbound(&mut Unknown(false)).rejection(), None);
    assert_eq!(inbound(&mut Unknown(true)), Verdict::Expired);
}

fn message(number: u128, message_type: MessageType, priority: Priority) -> Message {
    Keyring::new(SigningKey::new(KeyId(1), [7; 32])).sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::from_u128(number)),
        sender_id: PartyId::from_uuid(Uuid::from_u128(1)),
        recipient_id: PartyId::from_uuid(Uuid::from_u128(2)),
        message_type,
        payload: Payload::from_value(&serde_json::json!({"input": "x"})).expect("a payload"),
        priority,
        trace_id: TraceId::from_uuid(Uuid::from_u128(3)),
        created_at: Timestamp::from_millis(1),
        ttl: Duration::from_secs(1),
    })
}

#[test]
fn a_full_lane_refuses_and_control_still_gets_through() {
    let mut inbox = Inbox::default();
    for number in 0..LANE_CAPACITY {
        inbox.push(message(number as u128, MessageType::Task, Priority::Normal)).expect("there is room");
    }
    assert!(inbox.push(message(9_999, MessageType::Task, Priority::Normal)).is_err());
    inbox.push(message(10_000, MessageType::Task, Priority::Low)).expect("another lane has room");
    inbox.push(message(10_001, MessageType::Control, Priority::Low)).expect("control always gets through");
    assert_eq!(inbox.pop().map(|message| message.message_type()), Some(MessageType::Control));
    assert_eq!(inbox.len(), LANE_CAPACITY + 1);
}

fn priority() -> impl Strategy<Value = Priority> {
    prop::sample::select(Priority::ALL.to_vec())
}

proptest! {
    #[test]
    fn lanes_are_strict_between_priorities_and_fifo_within(priorities in prop::collection::vec(priority(), 0..100)) {
        let mut inbox = Inbox::default();
        for (number, priority) in priorities.iter().enumerate() {
            inbox.push(message(number as u128, MessageType::Task, *priority)).expect("there is room");
        }
        let mut expected: Vec<_> = priorities.iter().copied().zip(0_u128..).collect();
        expected.sort();
        let popped: Vec<_> = std::iter::from_fn(|| inbox.pop())
            .map(|message| (message.priority(), message.message_id().as_uuid().as_u128()))
            .collect();
        prop_assert_eq!(popped, expected);
        prop_assert!(inbox.is_empty());
    }

    #[test]
    fn memory_keeps_its_bounds_and_the_newest(sizes in prop::collection::vec((0_usize..40_000, 0_usize..40_000), 1..60)) {
        let mut memory = Memory::default();
        for (question, answer) in &sizes {
            memory.remember(&"q".repeat(*question), &"ä".repeat(*answer));
            let bytes: usize = memory.turns().iter().map(|(_, text)| text.len()).sum();
            prop_assert!(memory.turns().len() <= MEMORY_TURNS && bytes <= MEMORY_BYTES);
            prop_assert!(memory.turns().len() >= 2, "the newest exchange always fits");
            prop_assert_eq!(memory.turns().len() % 2, 0);
            prop_assert_eq!(&memory.turns()[0].0, "user");
        }
        prop_assert_eq!(Memory::read(Some(&memory.to_text())).expect("reads"), memory);
    }

    #[test]
    fn the_wait_grows_stays_bounded_and_differs_by_task(id in any::<u128>(), attempt in 1_u32..40, asked in 0_u64..100) {
        let backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(10) };
        let task = TaskId::from_uuid(Uuid::from_u128(id));
        let wait = backoff.wait(task, attempt);
        let doubled = Duration::from_millis(100).saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(backoff.max);
        prop_assert!(wait >= doubled / 2 && wait <= doubled);
        let asked = Duration::from_secs(asked);
        let told = backoff.spread(task, asked);
        prop_assert!(told >= asked && told <= asked + backoff.base, "what was asked for, however long");
    }

    #[test]
    fn every_wanted_state_is_reached_by_legal_transitions_or_never(start in 0_usize..7, wanted in 0_usize..5) {
        let wanted = [Wanted::Idle, Wanted::Processing, Wanted::Paused, Wanted::Stopping, Wanted::Stopped][wanted];
        let mut state = AgentState::ALL[start];
        let ended = matches!(state, AgentState::Stopping | AgentState::Stopped);
        let mut taken = 0;
        while let Some(event) = next_event(state, wanted) {
            state = state.after(event).expect("a legal transition");
            taken += 1;
            prop_assert!(taken < 8, "it goes in circles");
        }
        prop_assert!(state == wanted.state() || ended, "{state} instead of {wanted:?}");
    }

    /// Whatever the plan, a run ends within its loop guard, and a run that resumes at any point goes on the same way.
    #[test]
    fn runs_end_within_the_guard_and_resume_where_they_were(
        pattern in prop::sample::select(vec![Pattern::Direct, Pattern::Reflection, Pattern::PlanAndExecute]),
        limit in 1_u32..12, retrieves in any::<bool>(), plan in "([-0-9. ]{0,4}[a-z]{0,6}\n){0,12}",
    ) {
        let reasoning = Reasoning { pattern, max_iterations: limit };
        let mut run = Run::new(&reasoning, retrieves);
        let mut journal: Vec<Arc<StepRecord>> = Vec::new();
        let mut calls = 0;
        let last = loop {
            let mut resumed = Run::new(&reasoning, retrieves);
            resumed.resume(&journal).expect("its own journal fits");
            prop_assert_eq!(resumed.next(), run.next());
            let (kind, name) = match run.next() {
                Next::Retrieve => (StepKind::Retrieve, "passages".into()),
                Next::Call(call) => { calls += 1; (StepKind::Model, call.name) }
                end @ (Next::Finish(_) | Next::Fail(_)) => break end,
            };
            prop_assert!(calls <= limit);
            let text: Arc<str> = if &*name == "plan" { plan.as_str().into() } else { format!("did {name}").into() };
            journal.push(step(run.position(), kind, &name, &text));
            run.complete(Done { kind, name, text });
        };
        if let Next::Fail(why) = last {
            prop_assert!(why.contains("loop guard") && why.contains("max_iterations"), "{why}");
        }
    }
}

#[test]
fn a_run_that_has_written_too_much_asks_no_model_again() {
    let mut run = Run::new(&Reasoning { pattern: Pattern::PlanAndExecute, max_iterations: 100 }, false);
    let plan: String = (1..=40).map(|part| format!("- part {part}\n")).collect();
    run.complete(Done { kind: StepKind::Model, name: "plan".into(), text: plan.into() });
    let part: Arc<str> = "x".repeat(1024 * 1024).into();
    for number in 1..=16 {
        assert!(matches!(run.next(), Next::Call(_)), "part {number}");
        run.complete(Done { kind: StepKind::Model, name: format!("part-{number}").into(), text: Arc::clone(&part) });
    }
    let Next::Fail(why) = run.next() else { panic!("{:?}", run.next()) };
    assert!(why.contains(&format!("the limit is {MAX_JOURNAL_BYTES}")), "{why}");
}

fn step(index: u32, kind: StepKind, name: &str, text: &str) -> Arc<StepRecord> {
    Arc::new(StepRecord {
        index,
        kind,
        name: name.into(),
        by: "".into(),
        attempt: 1,
        epoch: Epoch(1),
        started_at: Timestamp::EPOCH,
        ended_at: Timestamp::EPOCH,
        outcome: StepOutcome::Done(text.into()),
        usage: Usage::default(),
    })
}

#[test]
fn a_plan_is_worked_through_part_by_part() {
    let mut run = Run::new(&Reasoning { pattern: Pattern::PlanAndExecute, max_iterations: 4 }, false);
    run.resume(&[step(0, StepKind::Model, "plan", "# Plan\n1. first\n\n2) second\n")]).expect("fits");
    for (part, text) in [("part-1", "first"), ("part-2", "second")] {
        let Next::Call(call) = run.next() else { panic!("a part comes next") };
        assert_eq!((&*call.name, call.part.as_deref(), call.last), (part, Some(text), false));
        run.complete(Done { kind: StepKind::Model, name: call.name, text: text.into() });
    }
    let Next::Call(call) = run.next() else { panic!("the synthesis comes next") };
    assert!(call.last && &*call.name == "synthesis");
    run.complete(Done { kind: StepKind::Model, name: call.name, text: "all".into() });
    assert_eq!(run.next(), Next::Finish("all".into()));
}

#[test]
fn a_plan_beyond_the_guard_fails_before_its_parts_are_paid() {
    let mut run = Run::new(&Reasoning { pattern: Pattern::PlanAndExecute, max_iterations: 4 }, false);
    run.resume(&[step(0, StepKind::Model, "plan", "a\nb\nc\n")]).expect("fits");
    assert!(matches!(run.next(), Next::Fail(why) if why.contains("3 parts") && why.contains("takes 5 model calls")));
}

#[test]
fn a_journal_of_another_run_is_refused() {
    let reasoning = Reasoning { pattern: Pattern::Reflection, max_iterations: 10 };
    for wrong in [
        step(0, StepKind::Model, "answer", "x"),
        step(1, StepKind::Model, "draft", "x"),
        step(0, StepKind::Tool, "draft", "x"),
    ] {
        let mismatch = Run::new(&reasoning, false).resume(&[wrong]).expect_err("does not fit");
        assert_eq!(mismatch.expected, "draft");
    }
    let whole: Vec<_> = ["draft", "review", "revise"]
        .iter()
        .zip(0..)
        .map(|(name, index)| step(index, StepKind::Model, name, name))
        .collect();
    let mut run = Run::new(&reasoning, false);
    run.resume(&whole).expect("fits");
    assert_eq!(run.next(), Next::Finish("revise".into()));
    assert!(run.clone().resume(&[step(3, StepKind::Model, "more", "x")]).is_err());
}

#[test]
fn plans_are_read_however_they_are_marked() {
    assert_eq!(plan_parts("- a\n* b\n3. c\n4) d\n5: e\n\n## no\n---\nf"), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(plan_parts("2024 was a year"), ["2024 was a year"]);
    assert_eq!(plan_parts("---"), ["---"]);
    assert_eq!(plan_parts(&"x\n".repeat(500)).len(), MAX_PLAN_PARTS);
}

#[test]
fn the_configuration_is_checked() {
    assert!(ActorConfig::default().problems().is_empty());
    let wrong = ActorConfig { max_concurrent_runs: 0, heartbeat_ms: 60_000, ..ActorConfig::default() };
    assert_eq!(wrong.problems().len(), 2);
    assert!(serde_json::from_str::<ActorConfig>(r#"{"max_runs": 1}"#).is_err(), "unknown keys are refused");
}
