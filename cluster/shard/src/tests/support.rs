//! What the tests share.

use crate::{ShardConfig, SingleNode};
use octopussy_core::agent::{AgentRecord, AgentSpec, Desired, Usage, UsageWindow};
use octopussy_core::ids::{AgentId, Epoch, MessageId, NodeId, PartyId, ShardCount, TaskId, TraceId};
use octopussy_core::message::{
    DEFAULT_TTL, KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey,
};
use octopussy_core::ports::{LedgerPort, ProposeError};
use octopussy_core::task::{Applied, Command, NewTask, Outcome, StepKind, StepOutcome, StepRecord, TaskRecord};
use octopussy_core::time::{Clock, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// A clock that a test sets.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) const START: u64 = 1_800_000_000_000;

pub(crate) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock(AtomicU64::new(START)))
}

pub(crate) fn config(dir: &Path) -> ShardConfig {
    ShardConfig {
        shards: ShardCount::new(4).unwrap(),
        flush_interval: Duration::from_millis(20),
        tick_interval: Duration::from_millis(10),
        ..ShardConfig::new(dir)
    }
}

pub(crate) fn open(dir: &Path) -> Arc<SingleNode> {
    SingleNode::open(config(dir), clock(), NodeId([7; 16])).unwrap()
}

pub(crate) fn spec(name: &str) -> AgentSpec {
    AgentSpec { name: name.to_owned(), persona: "You help.".to_owned(), ..AgentSpec::default() }
}

pub(crate) fn agent(name: &str) -> AgentRecord {
    AgentRecord {
        id: AgentId::from_name(name),
        spec: Arc::new(spec(name)),
        documents: Arc::new([]),
        created_at: Timestamp::from_millis(START),
        desired: Desired::Active,
        usage: UsageWindow::default(),
        memory: None,
        tasks_ended: 0,
    }
}

pub(crate) fn message(agent: AgentId, priority: Priority, at: u64, ttl: Duration) -> Arc<Message> {
    let keyring = Keyring::new(SigningKey::new(KeyId(1), [3; 32]));
    let payload = serde_json::json!({ "input": "What is the answer?" });
    Arc::new(keyring.sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::now_v7()),
        sender_id: PartyId::from_uuid(Uuid::nil()),
        recipient_id: agent.into(),
        message_type: MessageType::Task,
        payload: Payload::from_value(&payload).unwrap(),
        priority,
        trace_id: TraceId::from_uuid(Uuid::nil()),
        created_at: Timestamp::from_millis(at),
        ttl,
    }))
}

pub(crate) fn new_task(agent: AgentId) -> NewTask {
    NewTask {
        id: TaskId::for_agent(agent, Uuid::now_v7()),
        agent,
        sender: PartyId::from_uuid(Uuid::nil()),
        message: message(agent, Priority::Normal, START, DEFAULT_TTL),
        idempotency: None,
        max_attempts: 3,
    }
}

/// The commands, each with its shard, and answers unpacked.
impl SingleNode {
    pub(crate) async fn create(&self, name: &str) -> AgentId {
        let agent = agent(name);
        let id = agent.id;
        self.propose(self.shards().shard_of(id), Command::CreateAgent { agent: Box::new(agent) }).await.unwrap();
        id
    }

    pub(crate) async fn accept(&self, task: NewTask) -> Result<Applied, ProposeError> {
        let shard = self.shards().shard_of(task.agent);
        self.propose(shard, Command::Accept { task: Box::new(task), now: self.inner.clock.now() }).await
    }

    pub(crate) async fn accept_one(&self, agent: AgentId) -> TaskId {
        let task = new_task(agent);
        let id = task.id;
        self.accept(task).await.unwrap();
        id
    }

    pub(crate) fn epoch_of(&self, task: TaskId) -> Epoch {
        self.epoch(self.shards().shard_of_task(task)).unwrap()
    }

    pub(crate) async fn on_task(&self, task: TaskId, command: Command) -> Result<Applied, ProposeError> {
        self.propose(self.shards().shard_of_task(task), command).await
    }

    pub(crate) async fn begin(&self, task: TaskId) -> Result<Applied, ProposeError> {
        self.on_task(task, Command::Begin { task, epoch: self.epoch_of(task), now: self.inner.clock.now() }).await
    }

    pub(crate) async fn step(&self, task: TaskId, index: u32) -> Result<Applied, ProposeError> {
        let step = StepRecord {
            index,
            kind: StepKind::Model,
            name: "answer".into(),
            by: "test/model".into(),
            attempt: 1,
            epoch: self.epoch_of(task),
            started_at: Timestamp::from_millis(START),
            ended_at: Timestamp::from_millis(START),
            outcome: StepOutcome::Done("42".into()),
            usage: Usage { prompt_tokens: 10, completion_tokens: 5, cost_micros: 7 },
        };
        self.on_task(task, Command::Step { task, step: Arc::new(step) }).await
    }

    pub(crate) async fn end(&self, task: TaskId, outcome: Outcome) -> Result<Applied, ProposeError> {
        let now = self.inner.clock.now();
        let command = Command::End { task, epoch: self.epoch_of(task), outcome, memory: Some("noted".into()), now };
        self.on_task(task, command).await
    }

    /// Accepts, begins, steps and ends a task.
    pub(crate) async fn run(&self, agent: AgentId) -> TaskId {
        let task = self.accept_one(agent).await;
        self.begin(task).await.unwrap();
        self.step(task, 0).await.unwrap();
        let result = message(agent, Priority::Normal, START, DEFAULT_TTL);
        self.end(task, Outcome::Succeeded(result)).await.unwrap();
        task
    }
}

pub(crate) fn task_of(applied: Applied) -> Arc<TaskRecord> {
    match applied {
        Applied::Task(task) | Applied::Duplicate(task) => task,
        other @ (Applied::Activated(_) | Applied::Done | Applied::Agent(_) | Applied::Count(_)) => {
            panic!("expected a task, got {other:?}")
        }
    }
}

/// Waits until `condition` holds, at most ten seconds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "{what} did not happen in time");
        tokio::task::yield_now().await;
    }
}
