//! Nodes with messaging over an in-memory mesh, and a ledger of which the tests say who leads what.

use crate::messaging::{MessagingCapability, MessagingConfig, MessagingNeeds};
use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, Epoch, MessageId, NodeId, ShardCount, ShardId, TaskId, TraceId};
use octopussy_core::message::{
    KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey, VerifyError,
};
use octopussy_core::ports::*;
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::{Applied, Command, LedgerEvent, TaskRecord};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_lifecycle::{Capability, StartContext, Wired};
use octopussy_mesh::memory::Network;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What all nodes agree on: who leads which shard, in which epoch.
#[derive(Default)]
struct Truth(RwLock<BTreeMap<ShardId, (NodeId, Epoch)>>);

struct Ledger {
    truth: Arc<Truth>,
    node: NodeId,
    observers: Mutex<Vec<Arc<dyn LedgerObserver>>>,
}

impl Ledger {
    fn tell(&self, event: &LedgerEvent) {
        for observer in self.observers.lock().clone() {
            observer.on_event(event);
        }
    }
}

#[async_trait]
impl LedgerPort for Ledger {
    fn shards(&self) -> ShardCount {
        ShardCount::DEFAULT
    }
    fn propose(&self, shard: ShardId, _: Command) -> BoxFuture<'static, Result<Applied, ProposeError>> {
        futures::future::ready(Err(ProposeError::NoLeader(shard))).boxed()
    }
    async fn task(&self, _: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        Ok(None)
    }
    async fn agent(&self, _: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        Ok(None)
    }
    async fn waiting(&self, _: AgentId) -> Result<usize, ProposeError> {
        Ok(0)
    }
    async fn tasks(&self, _: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ProposeError> {
        Ok(Page { items: Vec::new(), more: false })
    }
    async fn agents(&self, _: &AgentQuery) -> Result<Page<Arc<AgentRecord>>, ProposeError> {
        Ok(Page { items: Vec::new(), more: false })
    }
    async fn dead_letters(&self) -> Result<u64, ProposeError> {
        Ok(0)
    }
    async fn await_end(&self, _: TaskId, _: Duration) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        Ok(None)
    }
    fn leader(&self, shard: ShardId) -> Option<NodeId> {
        self.truth.0.read().get(&shard).map(|(node, _)| *node)
    }
    fn health(&self) -> Result<(), ProposeError> {
        Ok(())
    }
}

impl LedShardsPort for Ledger {
    fn epoch(&self, shard: ShardId) -> Option<Epoch> {
        self.truth.0.read().get(&shard).filter(|(node, _)| *node == self.node).map(|(_, epoch)| *epoch)
    }
    fn task(&self, _: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        Ok(None)
    }
    fn agent(&self, _: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        Ok(None)
    }
    fn next_task(&self, _: AgentId) -> Option<Arc<TaskRecord>> {
        None
    }
    fn waiting(&self, _: AgentId) -> usize {
        7
    }
    fn agents_with_work(&self) -> Vec<AgentId> {
        Vec::new()
    }
    fn dead_letters(&self) -> u64 {
        0
    }
    fn observe(&self, observer: Arc<dyn LedgerObserver>) {
        self.observers.lock().push(observer);
    }
}

struct Security(Keyring);

pub(super) fn keyring(key: u8) -> Keyring {
    Keyring::new(SigningKey::new(KeyId(1), [key; 32]))
}

impl SecurityPort for Security {
    fn authenticate(&self, _: &str) -> Result<Principal, AuthError> {
        Err(AuthError::Invalid)
    }
    fn authorize(&self, _: &Principal, _: Action) -> bool {
        false
    }
    fn is_good(&self, _: &Principal) -> bool {
        false
    }
    fn issue_token(&self, _: &str, _: PrincipalRole, _: Duration) -> Option<IssuedToken> {
        None
    }
    fn is_current(&self, _: &str) -> bool {
        true
    }
    fn scan_prompt(&self, _: &str) -> ScanVerdict {
        ScanVerdict::Clean
    }
    fn validate_output(&self, _: &str) -> GuardrailVerdict {
        GuardrailVerdict::Pass
    }
    fn sign(&self, draft: MessageDraft) -> Message {
        self.0.sign(draft)
    }
    fn verify(&self, message: &Message) -> Result<(), VerifyError> {
        self.0.verify(message)
    }
}

/// Carries out commands while it has permits, and counts them.
pub(super) struct Host {
    pub(super) commands: AtomicUsize,
    pub(super) permits: Semaphore,
}

#[async_trait]
impl AgentHost for Host {
    async fn control(&self, message: Message) -> Result<(), Problem> {
        self.commands.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.map_err(|_| Problem::new(Code::Internal, "closed"))?.forget();
        match message.payload().parse::<ControlCommand>() {
            Ok(ControlCommand::Stop) => Err(Problem::new(Code::AgentStopped, "it is stopped already")),
            _ => Ok(()),
        }
    }
}

/// Says that every agent works.
struct Lifecycle;

impl AgentLifecyclePort for Lifecycle {
    fn register(&self, _: AgentId) {}
    fn transition(
        &self,
        _: AgentId,
        _: octopussy_core::agent::AgentEvent,
    ) -> Result<octopussy_core::agent::AgentState, octopussy_core::agent::IllegalTransition> {
        Ok(octopussy_core::agent::AgentState::Processing)
    }
    fn status(&self, _: AgentId) -> Option<AgentStatus> {
        Some(AgentStatus {
            state: octopussy_core::agent::AgentState::Processing,
            since: Timestamp::EPOCH,
            last_heartbeat: Timestamp::EPOCH,
            health: AgentHealth::Healthy,
        })
    }
    fn heartbeat(&self, _: AgentId) {}
    fn deregister(&self, _: AgentId) {}
    fn list(&self) -> Vec<(AgentId, AgentStatus)> {
        Vec::new()
    }
}

struct Still;
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000)
    }
}

pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) messaging: Arc<dyn MessagingPort>,
    pub(super) host: Arc<Host>,
    ledger: Arc<Ledger>,
    running: Mutex<Option<crate::messaging::MessagingRunning>>,
}

pub(super) struct World {
    pub(super) network: Network,
    truth: Arc<Truth>,
    pub(super) nodes: Vec<Node>,
}

impl World {
    /// Nodes that are all connected; nobody leads anything.
    pub(super) async fn of(count: u8) -> Self {
        let network = Network::new(0x0c70_9055);
        network.set_latency(Duration::from_millis(1)..=Duration::from_millis(4));
        let mut world = Self { network, truth: Arc::default(), nodes: Vec::new() };
        for _ in 0..count {
            world.join().await;
        }
        world
    }

    /// One more node.
    pub(super) async fn join(&mut self) {
        let id = NodeId([u8::try_from(self.nodes.len()).unwrap() + 1; 16]);
        let ledger = Arc::new(Ledger { truth: self.truth.clone(), node: id, observers: Mutex::default() });
        let ports = MessagingNeeds {
            ledger: ledger.clone(),
            led: ledger.clone(),
            mesh: self.network.node(id, 1),
            security: Arc::new(Security(keyring(7))),
            observability: Arc::new(NoObservability),
        };
        let config = MessagingConfig { remembered_events: 64, ..MessagingConfig::default() };
        let cx = StartContext { clock: Arc::new(Still), home: std::path::PathBuf::new(), stopping: Default::default() };
        let wired = Wired { inner: MessagingCapability::initialize(config).unwrap(), ports };
        let (provides, running) = MessagingCapability::start(wired, cx).await.unwrap();
        let host = Arc::new(Host { commands: AtomicUsize::new(0), permits: Semaphore::new(100) });
        provides.messaging.attach(host.clone());
        provides.messaging.attach_lifecycle(Arc::new(Lifecycle));
        let running = Mutex::new(Some(running));
        self.nodes.push(Node { id, messaging: provides.messaging, host, ledger, running });
    }

    /// Lets a node lead the agent's shard; whoever led it before is told that it does not any more.
    pub(super) fn lead(&self, agent: AgentId, node: Option<usize>) {
        let shard = ShardCount::DEFAULT.shard_of(agent);
        let before = self.truth.0.read().get(&shard).copied();
        let epoch = Epoch(before.map_or(1, |(_, epoch)| epoch.0 + 10));
        match node {
            Some(node) => self.truth.0.write().insert(shard, (self.nodes[node].id, epoch)),
            None => self.truth.0.write().remove(&shard),
        };
        for other in &self.nodes {
            if before.is_some_and(|(node, _)| node == other.id) {
                other.ledger.tell(&LedgerEvent::LeaderLost { shard });
            }
        }
        if let Some(node) = node {
            self.nodes[node].ledger.tell(&LedgerEvent::LeaderGained { shard, epoch });
        }
    }

    /// Stops messaging on a node, as a node that stops does.
    pub(super) async fn stop(&self, node: usize) {
        use octopussy_lifecycle::Running as _;
        let running = self.nodes[node].running.lock().take();
        if let Some(mut running) = running {
            running.stop(octopussy_lifecycle::Deadline::after(Duration::from_secs(1))).await.unwrap();
        }
    }
}

pub(super) fn agent() -> AgentId {
    AgentId::from_name("scribe")
}

pub(super) fn task() -> TaskId {
    TaskId::for_agent(agent(), uuid::Uuid::now_v7())
}

pub(super) fn token(text: impl Into<Arc<str>>) -> EventKind {
    EventKind::Token { step: 0, text: text.into() }
}

/// A CONTROL message signed with the given key.
pub(super) fn control(command: ControlCommand, key: u8) -> Message {
    keyring(key).sign(MessageDraft {
        message_id: MessageId::from_uuid(uuid::Uuid::now_v7()),
        sender_id: agent().into(),
        recipient_id: agent().into(),
        message_type: MessageType::Control,
        payload: Payload::from_value(&command).unwrap(),
        priority: Priority::Critical,
        trace_id: TraceId::from_uuid(uuid::Uuid::now_v7()),
        created_at: Timestamp::from_millis(1_000),
        ttl: Duration::from_secs(60),
    })
}

/// The next event in one word, once it is there.
pub(super) async fn heard(news: &mut Subscription) -> String {
    let event = tokio::time::timeout(Duration::from_secs(60), news.next()).await.expect("news come in time");
    word(event.as_ref())
}

pub(super) fn word(event: Option<&Event>) -> String {
    match event.map(|event| &event.kind) {
        None => "end".to_owned(),
        Some(EventKind::Token { text, .. }) => text.to_string(),
        Some(EventKind::Gap) => "gap".to_owned(),
        Some(EventKind::Agent(state)) => state.to_string(),
        Some(
            EventKind::Step(_)
            | EventKind::Task(_)
            | EventKind::Ended(_)
            | EventKind::BudgetExhausted(_)
            | EventKind::Heartbeat(_)
            | EventKind::Passivated,
        ) => "other".to_owned(),
    }
}
