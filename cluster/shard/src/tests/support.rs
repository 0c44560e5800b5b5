//! What the tests share.

use crate::{ShardHost, ShardHostConfig, Timings};
use octopussy_control::{ClusterRecord, ControlCommand, JoinToken, MemberRecord, TokenMaker, VersionRange};
use octopussy_core::agent::{AgentRecord, AgentSpec, Desired, Usage, UsageWindow};
use octopussy_core::ids::{AgentId, Epoch, MessageId, NodeId, PartyId, ShardCount, ShardId, TaskId, TraceId};
use octopussy_core::message::{
    DEFAULT_TTL, KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey,
};
use octopussy_core::ports::{
    Asker, LedShardsPort, LedgerPort, MemberDesired, MemberRole, PrincipalRole, ProposeError, Reach, ReachabilityPort,
    TokenUse,
};
use octopussy_core::task::{Applied, Command, NewTask, Outcome, StepKind, StepOutcome, StepRecord, TaskRecord};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_mesh::memory::{MemoryMesh, Network};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How long anything may take that is waited for.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

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

pub(crate) fn config(dir: &Path) -> ShardHostConfig {
    ShardHostConfig {
        timings: Timings::FAST,
        flush_interval: Duration::from_millis(20),
        tick_interval: Duration::from_millis(10),
        introduced: (1..=9).map(node_id).collect(),
        ..ShardHostConfig::new(dir)
    }
}

pub(crate) const fn node_id(number: u8) -> NodeId {
    NodeId([number; 16])
}

/// Whether nodes answer, as the mesh sees it: good enough where nobody pings.
pub(crate) struct Connected(pub(crate) Arc<MemoryMesh>);

impl ReachabilityPort for Connected {
    fn reach(&self, node: NodeId) -> Reach {
        use octopussy_core::ports::MeshPort;
        if node == self.0.incarnation().node || self.0.is_connected(node) { Reach::Alive } else { Reach::Suspect }
    }

    fn down_for(&self, _: NodeId) -> Option<Duration> {
        None
    }
}

pub(crate) fn cluster(shards: u16) -> ClusterRecord {
    ClusterRecord {
        id: "test".to_owned(),
        shards: ShardCount::new(shards).unwrap(),
        replication: 3,
        founded_at: Timestamp::from_millis(START),
    }
}

pub(crate) fn member(id: NodeId) -> MemberRecord {
    MemberRecord {
        id,
        name: format!("node-{}", id.0[0]),
        addresses: Vec::new(),
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::from_millis(START),
    }
}

/// The command that makes a join token for a full member of this secret, and the digest by which a node joins with it.
pub(crate) fn join_token(secret: &[u8], maker: NodeId, now: Timestamp) -> (ControlCommand, [u8; 32]) {
    token_for(MemberRole::Full, secret, maker, now)
}

/// An administrator, who asks for whatever changes the cluster.
pub(crate) fn admin() -> Asker {
    Asker::Principal { name: "admin".to_owned(), role: PrincipalRole::Admin }
}

/// The same for a guest.
pub(crate) fn guest_token(secret: &[u8], maker: NodeId, now: Timestamp) -> (ControlCommand, [u8; 32]) {
    token_for(MemberRole::Guest, secret, maker, now)
}

fn token_for(role: MemberRole, secret: &[u8], maker: NodeId, now: Timestamp) -> (ControlCommand, [u8; 32]) {
    let digest = JoinToken::digest_of(secret);
    let expires_at = now.plus(Duration::from_secs(60));
    let made_by = TokenMaker { node: maker, principal: "admin".to_owned(), at: now };
    let token = JoinToken { digest, uses: TokenUse::Single, expires_at, used_by: Vec::new(), role, made_by };
    (ControlCommand::AddToken { id: JoinToken::id_of(&digest), token, now }, digest)
}

/// A node under test, with the ports that others see.
pub(crate) struct TestNode {
    pub(crate) host: Arc<ShardHost>,
    pub(crate) ledger: Arc<dyn LedgerPort>,
    pub(crate) led: Arc<dyn LedShardsPort>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) id: NodeId,
}

impl TestNode {
    pub(crate) fn of(host: Arc<ShardHost>, clock: Arc<TestClock>, id: NodeId) -> Self {
        Self { ledger: host.ledger(), led: host.led(), host, clock, id }
    }

    /// A node alone, which founds a cluster of four shards unless it belongs to one.
    pub(crate) async fn alone(config: ShardHostConfig, clock: Arc<TestClock>) -> Self {
        Self::alone_with(config, clock, Arc::new(octopussy_store::open)).await
    }

    pub(crate) async fn alone_with(
        config: ShardHostConfig,
        clock: Arc<TestClock>,
        opener: crate::stores::Opener,
    ) -> Self {
        let id = node_id(7);
        let mesh = Network::new(1).node(id, 1);
        let reach = Arc::new(Connected(Arc::clone(&mesh)));
        let host = ShardHost::open_with(config, clock.clone(), mesh, reach, opener).await.unwrap();
        if !host.core().registry.get(crate::raft::GroupId::CONTROL).unwrap().raft().is_initialized().await.unwrap() {
            host.found(cluster(4), member(id)).await.unwrap();
        }
        let node = Self::of(host, clock, id);
        eventually("the lead of all shards", || node.host.is_member() && node.leads_all()).await;
        node
    }

    pub(crate) fn leads_any(&self) -> bool {
        self.ledger.shards().all().any(|shard| self.led.epoch(shard).is_some())
    }

    pub(crate) fn leads_all(&self) -> bool {
        self.ledger.shards().all().all(|shard| self.led.epoch(shard).is_some())
    }

    pub(crate) async fn close(self) {
        assert!(self.host.close(LIMIT).await, "the node did not close in time");
    }

    pub(crate) fn shard_of(&self, agent: AgentId) -> ShardId {
        self.ledger.shards().shard_of(agent)
    }
}

pub(crate) async fn open(dir: &Path) -> TestNode {
    TestNode::alone(config(dir), clock()).await
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
        versions: Arc::new([]),
    }
}

pub(crate) fn message(agent: AgentId, priority: Priority, at: u64, ttl: Duration) -> Arc<Message> {
    let payload = serde_json::json!({ "input": "What is the answer?" });
    message_that_says(&payload, agent, priority, at, ttl)
}

pub(crate) fn message_that_says(
    payload: &serde_json::Value,
    agent: AgentId,
    priority: Priority,
    at: u64,
    ttl: Duration,
) -> Arc<Message> {
    let keyring = Keyring::new(SigningKey::new(KeyId(1), [3; 32]));
    Arc::new(keyring.sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::now_v7()),
        sender_id: PartyId::from_uuid(Uuid::nil()),
        recipient_id: agent.into(),
        message_type: MessageType::Task,
        payload: Payload::from_value(payload).unwrap(),
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
impl TestNode {
    pub(crate) async fn create(&self, name: &str) -> AgentId {
        self.create_agent(agent(name)).await
    }

    pub(crate) async fn create_agent(&self, agent: AgentRecord) -> AgentId {
        let id = agent.id;
        self.ledger
            .propose(self.ledger.shards().shard_of(id), Command::CreateAgent { agent: Box::new(agent) })
            .await
            .unwrap();
        id
    }

    pub(crate) async fn accept(&self, task: NewTask) -> Result<Applied, ProposeError> {
        let shard = self.ledger.shards().shard_of(task.agent);
        self.ledger.propose(shard, Command::Accept { task: Box::new(task), now: self.clock.now() }).await
    }

    pub(crate) async fn accept_one(&self, agent: AgentId) -> TaskId {
        let task = new_task(agent);
        let id = task.id;
        self.accept(task).await.unwrap();
        id
    }

    pub(crate) fn epoch_of(&self, task: TaskId) -> Epoch {
        self.led.epoch(self.ledger.shards().shard_of_task(task)).unwrap()
    }

    pub(crate) async fn on_task(&self, task: TaskId, command: Command) -> Result<Applied, ProposeError> {
        self.ledger.propose(self.ledger.shards().shard_of_task(task), command).await
    }

    pub(crate) async fn begin(&self, task: TaskId) -> Result<Applied, ProposeError> {
        let begin = Command::Begin { task, epoch: self.epoch_of(task), version: 1, now: self.clock.now() };
        self.on_task(task, begin).await
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
        self.on_task(task, Command::Step { task, step: Arc::new(step), now: self.clock.now() }).await
    }

    pub(crate) async fn end(&self, task: TaskId, outcome: Outcome) -> Result<Applied, ProposeError> {
        let now = self.clock.now();
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
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
