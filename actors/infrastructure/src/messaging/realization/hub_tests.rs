use super::*;
use crate::messaging::realization::Observer;
use futures::FutureExt;
use octopussy_core::agent::{AgentState, Usage};
use octopussy_core::ids::{MessageId, PartyId, TraceId};
use octopussy_core::message::{KeyId, Keyring, MessageDraft, MessageType, Payload, Priority, SigningKey};
use octopussy_core::ports::{LedgerObserver, NoObservability};
use octopussy_core::task::{LedgerEvent, StepKind, StepOutcome, TaskRecord, TaskState};
use std::str::FromStr;

/// Tells the time it was set to, and counts how often it was asked: every event that is built asks once.
#[derive(Default)]
struct Hands(AtomicU64, AtomicU64);
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.1.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

fn hub(remembered_events: usize) -> (Arc<Hub>, Arc<Hands>) {
    let clock = Arc::new(Hands::default());
    let config = MessagingConfig { remembered_events, watched_topics: 4, linger_seconds: 30 };
    let hub = Hub::new(config, ShardCount::DEFAULT, clock.clone(), Arc::new(NoObservability));
    ShardCount::DEFAULT.all().for_each(|shard| hub.set_epoch(shard, Epoch(9)));
    (Arc::new(hub), clock)
}

fn ids() -> (AgentId, TaskId) {
    let agent = AgentId::from_name("a");
    (agent, TaskId::for_agent(agent, uuid::Uuid::now_v7()))
}

fn token(text: &str) -> EventKind {
    EventKind::Token { step: 0, text: text.into() }
}

/// What is there without waiting, as words.
fn drain(stream: &mut Subscription) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(Some(event)) = stream.next().now_or_never() {
        seen.push(match event.kind {
            EventKind::Token { text, .. } => text.to_string(),
            EventKind::Gap => "gap".to_owned(),
            EventKind::Agent(state) => state.to_string(),
            EventKind::Step(_)
            | EventKind::Task(_)
            | EventKind::Ended(_)
            | EventKind::BudgetExhausted(_)
            | EventKind::Heartbeat(_)
            | EventKind::Passivated => "other".to_owned(),
        });
    }
    seen
}

#[tokio::test]
async fn a_watcher_gets_its_topic_and_nothing_before() {
    let (hub, _) = hub(16);
    let (agent, task) = ids();
    hub.publish(agent, Some(task), token("early"));
    let mut of_task = hub.subscribe(Topic::Task(task), Some(agent), None).unwrap();
    let mut of_all = hub.subscribe(Topic::All, None, None).unwrap();
    hub.publish(agent, Some(task), token("hello"));
    hub.publish(agent, None, EventKind::Agent(AgentState::Processing));
    assert_eq!(drain(&mut of_task), ["hello"]);
    assert_eq!(drain(&mut of_all), ["PROCESSING"]);
    assert!(hub.is_task_watched(task));
}

#[tokio::test]
async fn a_slow_watcher_gets_a_gap_and_then_what_is_left() {
    let (hub, _) = hub(4);
    let (agent, task) = ids();
    let mut stream = hub.subscribe(Topic::Task(task), Some(agent), None).unwrap();
    for number in 0..10 {
        hub.publish(agent, Some(task), token(&number.to_string()));
    }
    assert_eq!(drain(&mut stream), ["gap", "6", "7", "8", "9"]);
}

#[tokio::test]
async fn a_dropped_connection_resumes_where_it_was() {
    let (hub, clock) = hub(16);
    let (agent, task) = ids();
    let mut stream = hub.subscribe(Topic::Task(task), Some(agent), None).unwrap();
    hub.publish(agent, Some(task), token("one"));
    let last = stream.next().await.unwrap().id;
    drop(stream);
    assert_eq!(EventId::from_str(&last.to_string()).unwrap(), last);
    hub.publish(agent, Some(task), token("two"));
    hub.sweep();
    let mut resumed = hub.subscribe(Topic::Task(task), Some(agent), Some(last)).unwrap();
    assert_eq!(drain(&mut resumed), ["two"]);
    drop(resumed);
    clock.0.store(60_000, Ordering::Relaxed);
    hub.sweep();
    assert!(hub.is_quiet());
    hub.publish(agent, Some(task), token("three"));
    let mut late = hub.subscribe(Topic::Task(task), Some(agent), Some(last)).unwrap();
    hub.publish(agent, Some(task), token("four"));
    assert_eq!(drain(&mut late), ["gap", "four"]);
}

#[tokio::test]
async fn waiting_watchers_wake_and_end() {
    let (hub, _) = hub(16);
    let (agent, task) = ids();
    let mut stream = hub.subscribe(Topic::Task(task), Some(agent), None).unwrap();
    let waiting =
        tokio::spawn(async move { (stream.next().await.map(|event| event.id), stream.next().await.is_none()) });
    tokio::task::yield_now().await;
    hub.publish(agent, Some(task), token("now"));
    hub.close();
    let (first, ended) = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(first.map(|id| id.epoch), Some(Epoch(9)));
    assert!(ended);
    assert!(hub.subscribe(Topic::All, None, None).is_err());
}

#[tokio::test]
async fn topics_are_bounded() {
    let (hub, _) = hub(16);
    let kept: Vec<_> =
        (0..4).map(|_| ids().1).map(|task| hub.subscribe(Topic::Task(task), None, None).unwrap()).collect();
    let refused = hub.subscribe(Topic::All, None, None).err().map(|problem| problem.code);
    assert_eq!(refused, Some(Code::Overloaded));
    drop(kept);
}

fn record(agent: AgentId, task: TaskId) -> Arc<TaskRecord> {
    let sender = PartyId::from(agent);
    let message = Keyring::new(SigningKey::new(KeyId(1), [1; 32])).sign(MessageDraft {
        message_id: MessageId::from_uuid(uuid::Uuid::nil()),
        sender_id: sender,
        recipient_id: sender,
        message_type: MessageType::Task,
        payload: Payload::from_value(&serde_json::json!({"input": "x"})).unwrap(),
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(uuid::Uuid::nil()),
        created_at: Timestamp::EPOCH,
        ttl: Duration::from_secs(1),
    });
    Arc::new(TaskRecord {
        id: task,
        agent,
        sender,
        priority: message.priority(),
        message: Arc::new(message),
        sequence: 0,
        state: TaskState::Failed,
        accepted_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        expires_at: Timestamp::EPOCH,
        attempts: 1,
        max_attempts: 1,
        epoch: Epoch(9),
        steps: Vec::new(),
        result: None,
        error: None,
        dead_letter: None,
        idempotency_key: None,
        begun: 1,
        crashes: 0,
        agent_version: 0,
    })
}

fn step() -> Arc<StepRecord> {
    Arc::new(StepRecord {
        index: 0,
        kind: StepKind::Model,
        name: "answer".into(),
        by: "".into(),
        attempt: 1,
        epoch: Epoch(9),
        started_at: Timestamp::EPOCH,
        ended_at: Timestamp::EPOCH,
        outcome: StepOutcome::Done("x".into()),
        usage: Usage::default(),
    })
}

#[tokio::test]
async fn tasks_that_nobody_watches_build_no_events() {
    let (hub, clock) = hub(16);
    let observer = Observer { hub: hub.clone(), observability: Arc::new(NoObservability) };
    let (agent, task) = ids();
    let run = |agent, task| {
        observer.on_event(&LedgerEvent::TaskReady { agent, task });
        observer.on_event(&LedgerEvent::TaskBegun { task: record(agent, task) });
        hub.publish(agent, Some(task), token("t"));
        observer.on_event(&LedgerEvent::StepDone { task, step: step() });
        observer.on_event(&LedgerEvent::TaskEnded { task: record(agent, task) });
    };
    let built = || (clock.1.load(Ordering::Relaxed), hub.sequence.load(Ordering::Relaxed));
    let mut of_agents = hub.subscribe(Topic::Agents, None, None).unwrap();
    assert!(!hub.is_quiet() && hub.is_quiet_for_tasks());
    let before = built();
    run(agent, task);
    assert_eq!(built(), before, "nothing but agents is watched");
    let mut of_task = hub.subscribe(Topic::Task(task), Some(agent), None).unwrap();
    run(agent, ids().1);
    assert_eq!(built(), before, "another task is watched");
    run(agent, task);
    assert_eq!(built().1, before.1 + 5);
    assert_eq!(drain(&mut of_task), ["other", "other", "t", "other", "other"]);
    hub.publish(agent, None, EventKind::Agent(AgentState::Idle));
    assert_eq!(drain(&mut of_agents), ["IDLE"], "and no word of tasks");
    drop(of_task);
    clock.0.store(60_000, Ordering::Relaxed);
    hub.sweep();
    assert!(hub.is_quiet_for_tasks() && !hub.is_quiet());
}
