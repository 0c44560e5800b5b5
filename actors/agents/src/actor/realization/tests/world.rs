//! A node around the agents under test: every port a fake, the ledger in memory.

use super::fakes::*;
use super::ledger::{EPOCH, FakeLedger};
use crate::actor::{ActorCapability, ActorConfig, ActorProvides, ActorRequires, ActorRunning};
use octopussy_core::agent::{AgentRecord, AgentSpec, AgentState, Desired, UsageWindow};
use octopussy_core::ids::{AgentId, MessageId, PartyId, TaskId, TraceId};
use octopussy_core::message::{Keyring, Message, MessageDraft, MessageType, Payload, Priority};
use octopussy_core::ports::{ActorPort, ControlCommand, EventKind};
use octopussy_core::task::{TaskRecord, TaskState};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_lifecycle::{Capability, Deadline, Running, StartContext, Wired};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) const NOW: u64 = 1_000_000;

pub(super) struct World {
    pub(super) ledger: Arc<FakeLedger>,
    pub(super) blobs: Arc<FakeBlobs>,
    pub(super) seen: Arc<FakeObservability>,
    pub(super) security: Arc<FakeSecurity>,
    pub(super) messaging: Arc<FakeMessaging>,
    pub(super) model: Arc<FakeModel>,
    pub(super) budget: Arc<FakeBudget>,
    pub(super) actor: Arc<dyn ActorPort>,
    pub(super) running: ActorRunning,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::with(ActorConfig {
            one_shot_idle_ms: 20,
            stateful_idle_ms: 20,
            retry_base_ms: 1,
            ..ActorConfig::default()
        })
        .await
    }

    pub(super) async fn with(config: ActorConfig) -> Self {
        let ledger = Arc::new(FakeLedger::default());
        let (blobs, seen) = (Arc::new(FakeBlobs::default()), Arc::new(FakeObservability::default()));
        let (messaging, budget) = (Arc::new(FakeMessaging::default()), Arc::new(FakeBudget::default()));
        let model = Arc::new(FakeModel {
            mood: parking_lot::Mutex::new(Mood::Answer),
            asked: parking_lot::Mutex::default(),
            running: Arc::default(),
        });
        let security = Arc::new(FakeSecurity(parking_lot::RwLock::new(keyring())));
        let ports = ActorRequires {
            ledger: Arc::clone(&ledger) as _,
            led: Arc::clone(&ledger) as _,
            blobs: Arc::clone(&blobs) as _,
            observability: Arc::clone(&seen) as _,
            security: Arc::clone(&security) as _,
            messaging: Arc::clone(&messaging) as _,
            llm_router: Arc::new(FakeRouter(Arc::clone(&model))),
            token_budget: Arc::clone(&budget) as _,
            prompt: Arc::new(FakePrompt),
        };
        let clock: Arc<dyn Clock> = Arc::new(FakeClock(AtomicU64::new(NOW)));
        let cx = StartContext { clock, home: std::path::PathBuf::new(), stopping: CancellationToken::new() };
        let inner = ActorCapability::initialize(config).expect("a fitting configuration");
        let (ActorProvides { actor }, running) =
            ActorCapability::start(Wired { inner, ports }, cx).await.expect("it starts");
        Self { ledger, blobs, seen, security, messaging, model, budget, actor, running }
    }

    pub(super) fn agent(&self, change: impl FnOnce(&mut AgentSpec)) -> AgentId {
        self.named("clerk", change)
    }

    pub(super) fn named(&self, name: &str, change: impl FnOnce(&mut AgentSpec)) -> AgentId {
        self.enter(Self::spec_of(name, change))
    }

    /// What an agent may be.
    pub(super) fn spec(&self, change: impl FnOnce(&mut AgentSpec)) -> AgentSpec {
        Self::spec_of("clerk", change)
    }

    fn spec_of(name: &str, change: impl FnOnce(&mut AgentSpec)) -> AgentSpec {
        let mut spec = spec(name);
        change(&mut spec);
        spec
    }

    fn enter(&self, spec: AgentSpec) -> AgentId {
        let id = AgentId::from_name(&spec.name);
        let record = AgentRecord {
            id,
            spec: Arc::new(spec),
            documents: Arc::new([]),
            created_at: Timestamp::EPOCH,
            desired: Desired::Active,
            usage: UsageWindow::default(),
            memory: None,
            tasks_ended: 0,
            versions: Arc::new([]),
        };
        self.ledger.state.lock().agents.insert(id, Arc::new(record));
        id
    }

    pub(super) fn task(&self, agent: AgentId, input: &str) -> TaskId {
        self.task_with(agent, input, &keyring(), |_| {})
    }

    pub(super) fn task_with(
        &self,
        agent: AgentId,
        input: &str,
        keys: &Keyring,
        change: impl FnOnce(&mut TaskRecord),
    ) -> TaskId {
        let id = TaskId::for_agent(agent, Uuid::now_v7());
        let message =
            Arc::new(keys.sign(draft(agent, MessageType::Task, Payload::from_value(&content(input)).expect("fits"))));
        let mut task = TaskRecord {
            id,
            agent,
            sender: message.sender_id(),
            priority: message.priority(),
            sequence: 0,
            state: TaskState::Accepted,
            accepted_at: message.created_at(),
            updated_at: message.created_at(),
            expires_at: message.expires_at(),
            message,
            attempts: 0,
            max_attempts: 3,
            epoch: EPOCH,
            steps: Vec::new(),
            result: None,
            error: None,
            dead_letter: None,
            idempotency_key: None,
            begun: 0,
            crashes: 0,
            agent_version: 0,
        };
        change(&mut task);
        self.ledger.add_task(task);
        id
    }

    pub(super) fn record(&self, task: TaskId) -> Arc<TaskRecord> {
        self.ledger.state.lock().tasks.get(&task).cloned().expect("known")
    }

    pub(super) async fn ends(&self, task: TaskId) -> Arc<TaskRecord> {
        until("the task ends", || self.record(task).state.is_ended()).await;
        self.record(task)
    }

    pub(super) async fn hangs(&self, mood: Mood) {
        assert_eq!(mood, Mood::Hang);
        until("the model is asked", || self.model.running.load(Ordering::SeqCst) > 0).await;
    }

    pub(super) fn mood(&self, mood: Mood) {
        *self.model.mood.lock() = mood;
    }

    pub(super) fn states(&self, agent: AgentId) -> Vec<AgentState> {
        let events = self.messaging.events.lock();
        let mut states = Vec::new();
        for (_, _, kind) in events.iter().filter(|(of, ..)| *of == agent) {
            if let EventKind::Agent(state) = kind {
                states.push(*state);
            }
        }
        states
    }

    pub(super) async fn stop(mut self) {
        self.running.stop(Deadline::after(Duration::from_secs(5))).await.expect("it stops in time");
        self.running.cleanup().await;
    }
}

pub(super) fn draft(agent: AgentId, message_type: MessageType, payload: Payload) -> MessageDraft {
    MessageDraft {
        message_id: MessageId::from_uuid(Uuid::now_v7()),
        sender_id: PartyId::from_uuid(Uuid::from_u128(5)),
        recipient_id: agent.into(),
        message_type,
        payload,
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(Uuid::from_u128(6)),
        created_at: Timestamp::from_millis(NOW),
        ttl: Duration::from_secs(300),
    }
}

pub(super) fn control(agent: AgentId, command: ControlCommand) -> Message {
    keyring().sign(draft(agent, MessageType::Control, Payload::from_value(&command).expect("fits")))
}

/// Waits for a condition, at most ten seconds.
pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(waited.await.is_ok(), "in vain: {what}");
}

pub(super) fn result_text(task: &TaskRecord) -> String {
    let message = task.result.as_ref().expect("a result");
    keyring().verify(message).expect("the result is signed");
    let payload: serde_json::Value = message.payload().parse().expect("JSON");
    payload["text"].as_str().expect("a text").to_owned()
}
