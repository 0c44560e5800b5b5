//! The orchestrator as a port: a cheap handle around the ports it works with.

use super::capability::NodeFacts;
use super::contract::{OrchestratorRequires, SharedClock};
use super::essence;
use super::problems::{blob_problem, payload_problem};
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::agent::{AgentRecord, Document};
use octopussy_core::ids::{AgentId, MessageId, TaskId, TraceId};
use octopussy_core::message::{MessageDraft, MessageType, Payload, Priority};
use octopussy_core::ports::{
    Action, AgentBundle, AgentChange, AgentQuery, AgentView, ApiTokenInfo, ClusterView, ControlCommand, DigestsView,
    EventId, IssuedToken, JoinTokenInfo, JoinTokenView, MemberChangeView, MemberRole, MemberView, NodeStatus,
    OrchestratorPort, Page, Principal, PrincipalRole, ProposeError, ProviderStatus, RecoveryView, RotationView,
    ShardView, Submission, SubmitTask, SubmittedTask, Subscription, TaskQuery, TaskRequestDocument, TokenUse, Topic,
};
use octopussy_core::problem::{Code, Finding, Problem};
use octopussy_core::task::{Applied, Command, Refusal, TaskContent, TaskRecord};
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How many agents an unaddressed task is compared with: ten pages of the ledger.
const MAX_CANDIDATES: usize = 5000;
/// The ledger's own bound for a page.
const PAGE: usize = 500;
/// For how long a CONTROL message counts: it is handled at once or not at all.
const CONTROL_TTL: Duration = Duration::from_secs(60);
/// How long the status waits for what other nodes have to say.
const STATUS_LIMIT: Duration = Duration::from_secs(1);

/// The handle. Cloning is cheap.
#[derive(Clone)]
pub struct Orchestrator(Arc<Inner>);

struct Inner {
    ports: OrchestratorRequires,
    clock: SharedClock,
    node: NodeFacts,
    started_at: Timestamp,
    keys: Mutex<essence::KeyBudget>,
}

impl Orchestrator {
    pub(super) fn new(ports: OrchestratorRequires, clock: SharedClock, node: NodeFacts) -> Self {
        let started_at = clock.now();
        Self(Arc::new(Inner { ports, clock, node, started_at, keys: Mutex::default() }))
    }

    pub(super) fn ports(&self) -> &OrchestratorRequires {
        &self.0.ports
    }

    pub(super) fn allow(&self, principal: &Principal, action: Action) -> Result<(), Problem> {
        if self.ports().security.authorize(principal, action) {
            return Ok(());
        }
        Err(action.refused_to(principal))
    }

    async fn choose_agent(&self, input: &str) -> Result<AgentId, Problem> {
        let mut agents: Vec<Arc<AgentRecord>> = Vec::new();
        loop {
            let after = agents.last().map(|agent| agent.id);
            let page = self.ports().ledger.agents(&AgentQuery { after, limit: PAGE }).await?;
            let more = page.more && !page.items.is_empty();
            agents.extend(page.items);
            if !more || agents.len() >= MAX_CANDIDATES {
                break;
            }
        }
        let (count, input) = (agents.len(), input.to_owned());
        // Thousands of agents against a long input: beside the runtime's threads.
        let chosen = tokio::task::spawn_blocking(move || essence::choose(&agents, &input)).await;
        let chosen =
            chosen.map_err(|_| Problem::new(Code::Internal, "no agent could be chosen: see the node's log"))?;
        chosen.ok_or_else(|| {
            Problem::new(Code::Unprocessable, format!("none of the {count} agents has anything to do with the input"))
                .hint("name the agent in 'agent'; `octopussy agent list` shows the agents there are")
        })
    }

    async fn store(&self, agent: AgentId, documents: Vec<TaskRequestDocument>) -> Result<Vec<Document>, Problem> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        // Nothing is stored for an agent that is not there; everything else about it is the ledger's to say.
        self.record(agent).await?;
        let mut stored = Vec::with_capacity(documents.len());
        for document in documents {
            let bytes = document.text.len() as u64;
            let blob = self.ports().blobs.put(Bytes::from(document.text)).await.map_err(blob_problem)?;
            stored.push(Document { name: document.name, blob, bytes });
        }
        Ok(stored)
    }

    pub(super) async fn record(&self, id: AgentId) -> Result<Arc<AgentRecord>, Problem> {
        self.ports().ledger.agent(id).await?.ok_or_else(|| Refusal::UnknownAgent(id).into())
    }

    /// The agents with what the leaders of their shards know of them now. Where a leader does not answer, the record alone
    /// says how an agent is.
    async fn views(&self, records: Vec<Arc<AgentRecord>>) -> Vec<AgentView> {
        let ids: Vec<_> = records.iter().map(|record| record.id).collect();
        let live = self.ports().messaging.live(&ids).await;
        let live: HashMap<_, _> = live.into_iter().map(|live| (live.agent, live)).collect();
        records.into_iter().map(|record| essence::view(live.get(&record.id).copied(), record)).collect()
    }

    pub(super) async fn view(&self, record: Arc<AgentRecord>) -> AgentView {
        let live = self.ports().messaging.live(&[record.id]).await;
        essence::view(live.into_iter().next(), record)
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn draft(
        &self,
        principal: &Principal,
        agent: AgentId,
        message_type: MessageType,
        payload: Payload,
    ) -> MessageDraft {
        MessageDraft {
            message_id: MessageId::from_uuid(Uuid::now_v7()),
            sender_id: principal.party,
            recipient_id: agent.into(),
            message_type,
            payload,
            priority: Priority::Normal,
            trace_id: TraceId::from_uuid(Uuid::now_v7()),
            created_at: self.0.clock.now(),
            ttl: CONTROL_TTL,
        }
    }
}

#[async_trait]
impl OrchestratorPort for Orchestrator {
    async fn submit(&self, principal: &Principal, task: SubmitTask) -> Result<SubmittedTask, Problem> {
        self.allow(principal, Action::SubmitTask)?;
        essence::check(&task)?;
        let idempotency = task.idempotency_key.as_deref().map(|key| (Arc::from(key), essence::fingerprint(&task)));
        let (ttl, max_attempts) = (essence::ttl(&task)?, essence::attempts(&task)?);
        if idempotency.is_some() {
            self.0.keys.lock().take(principal.party, self.0.clock.now())?;
        }
        let agent = match task.agent {
            Some(agent) => agent,
            None => self.choose_agent(&task.input).await?,
        };
        let documents = self.store(agent, task.documents).await?;
        let content =
            TaskContent { input: task.input, documents, history: task.history, constraints: task.constraints };
        let payload = Payload::from_value(&content).map_err(payload_problem)?;
        let draft = self.draft(principal, agent, MessageType::Task, payload);
        let trace_id = task.trace_id.unwrap_or(draft.trace_id);
        let message = self.ports().security.sign(MessageDraft { priority: task.priority, ttl, trace_id, ..draft });
        let submission = Submission { message: Arc::new(message), idempotency, max_attempts };
        let (task, created) = self.ports().messaging.submit(submission).await?;
        Ok(SubmittedTask { task, created })
    }

    async fn task(
        &self,
        principal: &Principal,
        id: TaskId,
        wait: Option<Duration>,
    ) -> Result<Arc<TaskRecord>, Problem> {
        self.allow(principal, Action::Read)?;
        let task = match wait {
            Some(limit) => self.ports().ledger.await_end(id, limit).await?,
            None => self.ports().ledger.task(id).await?,
        };
        task.ok_or_else(|| Refusal::UnknownTask(id).into())
    }

    async fn tasks(&self, principal: &Principal, query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, Problem> {
        self.allow(principal, Action::Read)?;
        Ok(self.ports().ledger.tasks(query).await?)
    }

    async fn cancel(&self, principal: &Principal, id: TaskId) -> Result<Arc<TaskRecord>, Problem> {
        self.allow(principal, Action::SubmitTask)?;
        let ledger = &self.ports().ledger;
        let reason = Arc::from(format!("cancelled by {}", principal.name));
        let command = Command::Cancel { task: id, reason, now: self.0.clock.now() };
        match ledger.propose(ledger.shards().shard_of_task(id), command).await? {
            Applied::Task(task) | Applied::Duplicate(task) => Ok(task),
            Applied::Done | Applied::Activated(_) | Applied::Agent(_) | Applied::Count(_) => {
                ledger.task(id).await?.ok_or_else(|| Refusal::UnknownTask(id).into())
            }
        }
    }

    async fn watch(
        &self,
        principal: &Principal,
        topic: Topic,
        after: Option<EventId>,
    ) -> Result<Subscription, Problem> {
        self.allow(principal, Action::Read)?;
        self.ports().messaging.subscribe(topic, after).await
    }

    async fn validate_agent(&self, principal: &Principal, bundle: AgentBundle) -> Result<Vec<Finding>, Problem> {
        self.allow(principal, Action::Read)?;
        self.ports().agent_factory.validate(bundle).await
    }

    async fn create_agent(&self, principal: &Principal, bundle: AgentBundle) -> Result<AgentView, Problem> {
        self.allow(principal, Action::ManageAgents)?;
        let created = self.ports().agent_factory.create(bundle, &principal.name).await;
        let subject = created.as_ref().map_or_else(|_| String::new(), |record| record.spec.name.clone());
        self.audit(principal, "agent.create", subject, &created);
        Ok(self.view(created?).await)
    }

    async fn update_agent(
        &self,
        principal: &Principal,
        id: AgentId,
        bundle: AgentBundle,
    ) -> Result<AgentView, Problem> {
        self.update(principal, id, bundle).await
    }

    async fn diff_agent(
        &self,
        principal: &Principal,
        id: AgentId,
        from: u32,
        to: u32,
    ) -> Result<Vec<AgentChange>, Problem> {
        self.allow(principal, Action::Read)?;
        self.ports().agent_factory.diff(id, from, to).await
    }

    async fn diff_agent_with(
        &self,
        principal: &Principal,
        id: AgentId,
        bundle: AgentBundle,
    ) -> Result<Vec<AgentChange>, Problem> {
        self.allow(principal, Action::Read)?;
        self.ports().agent_factory.diff_with(id, bundle).await
    }

    async fn delete_agent(&self, principal: &Principal, id: AgentId, force: bool) -> Result<u64, Problem> {
        self.delete(principal, id, force).await
    }

    async fn reset_budget(&self, principal: &Principal, id: AgentId) -> Result<AgentView, Problem> {
        self.reset_usage(principal, id).await
    }

    async fn agent(&self, principal: &Principal, id: AgentId) -> Result<AgentView, Problem> {
        self.allow(principal, Action::Read)?;
        let record = self.record(id).await?;
        Ok(self.view(record).await)
    }

    async fn agents(
        &self,
        principal: &Principal,
        after: Option<AgentId>,
        limit: usize,
    ) -> Result<Page<AgentView>, Problem> {
        self.allow(principal, Action::Read)?;
        let page = self.ports().ledger.agents(&AgentQuery { after, limit }).await?;
        Ok(Page { items: self.views(page.items).await, more: page.more })
    }

    async fn control(&self, principal: &Principal, id: AgentId, command: ControlCommand) -> Result<AgentView, Problem> {
        let action = match command {
            ControlCommand::Pause | ControlCommand::Resume | ControlCommand::Stop => Action::ManageAgents,
            ControlCommand::Cancel { .. } => Action::SubmitTask,
        };
        self.allow(principal, action)?;
        self.record(id).await?;
        let payload = Payload::from_value(&command).map_err(payload_problem)?;
        let draft = self.draft(principal, id, MessageType::Control, payload);
        let message = self.ports().security.sign(MessageDraft { priority: Priority::Critical, ..draft });
        let sent = self.ports().messaging.control(message).await;
        self.audit(principal, control_action(command), id.to_string(), &sent);
        sent?;
        let record = self.record(id).await?;
        Ok(self.view(record).await)
    }

    async fn dead_letters(
        &self,
        principal: &Principal,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Page<Arc<TaskRecord>>, Problem> {
        self.allow(principal, Action::Read)?;
        self.ports().messaging.dead_letters(after, limit).await
    }

    async fn replay(&self, principal: &Principal, id: TaskId) -> Result<Arc<TaskRecord>, Problem> {
        self.allow(principal, Action::ManageDeadLetters)?;
        let replayed = self.ports().messaging.replay(id, principal.party).await;
        self.audit(principal, "dead_letter.replay", id.to_string(), &replayed);
        replayed
    }

    async fn discard(&self, principal: &Principal, id: TaskId) -> Result<(), Problem> {
        self.allow(principal, Action::ManageDeadLetters)?;
        let discarded = self.ports().messaging.discard(id).await;
        self.audit(principal, "dead_letter.discard", id.to_string(), &discarded);
        discarded
    }

    fn providers(&self, principal: &Principal) -> Result<Vec<ProviderStatus>, Problem> {
        self.allow(principal, Action::Read)?;
        Ok(self.ports().llm_router.providers())
    }

    async fn secret_names(&self, principal: &Principal) -> Result<Vec<String>, Problem> {
        self.listed_secrets(principal).await
    }

    async fn set_secret(&self, principal: &Principal, name: &str, value: String) -> Result<(), Problem> {
        self.put_secret(principal, name, value).await
    }

    async fn delete_secret(&self, principal: &Principal, name: &str) -> Result<(), Problem> {
        self.remove_secret(principal, name).await
    }

    async fn rotate_secret(&self, principal: &Principal, name: &str) -> Result<RotationView, Problem> {
        self.rotate_one(principal, name).await
    }

    async fn rotate_keys(&self, principal: &Principal, now: bool) -> Result<Vec<RotationView>, Problem> {
        self.rotate_all(principal, now).await
    }

    async fn rotate_authority(&self, principal: &Principal, now: bool) -> Result<RotationView, Problem> {
        self.rotate_ca(principal, now).await
    }

    async fn create_token(
        &self,
        principal: &Principal,
        name: &str,
        role: PrincipalRole,
        valid_for: Duration,
    ) -> Result<IssuedToken, Problem> {
        self.make_token(principal, name, role, valid_for).await
    }

    fn tokens(&self, principal: &Principal) -> Result<Vec<ApiTokenInfo>, Problem> {
        self.listed_tokens(principal)
    }

    async fn revoke_token(&self, principal: &Principal, id: &str) -> Result<(), Problem> {
        self.end_token(principal, id).await
    }

    fn cluster(&self, principal: &Principal) -> Result<ClusterView, Problem> {
        self.allow(principal, Action::Read)?;
        Ok(self.ports().cluster.cluster())
    }

    fn members(&self, principal: &Principal) -> Result<Vec<MemberView>, Problem> {
        self.allow(principal, Action::Read)?;
        Ok(self.ports().cluster.members())
    }

    fn ring(&self, principal: &Principal) -> Result<Vec<ShardView>, Problem> {
        self.allow(principal, Action::Read)?;
        Ok(self.ports().cluster.ring())
    }

    fn member_history(&self, principal: &Principal) -> Result<Vec<MemberChangeView>, Problem> {
        self.allow(principal, Action::Read)?;
        Ok(self.ports().cluster.history())
    }

    async fn create_join_token(
        &self,
        principal: &Principal,
        uses: TokenUse,
        role: MemberRole,
        valid_for: Duration,
    ) -> Result<JoinTokenView, Problem> {
        self.make_join_token(principal, uses, role, valid_for).await
    }

    fn join_tokens(&self, principal: &Principal) -> Result<Vec<JoinTokenInfo>, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        Ok(self.ports().cluster.tokens())
    }

    async fn revoke_join_token(&self, principal: &Principal, id: &str) -> Result<(), Problem> {
        self.end_join_token(principal, id).await
    }

    async fn drain(&self, principal: &Principal, node: &str, drain: bool) -> Result<MemberView, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        let drained = self.ports().cluster.drain(&principal.into(), node, drain).await;
        let action = if drain { "cluster.drain" } else { "cluster.resume" };
        self.audit(principal, action, essence::shortened(node), &drained);
        drained
    }

    async fn remove_member(&self, principal: &Principal, node: &str, force: bool) -> Result<MemberView, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        let action = if force { "cluster.remove_forced" } else { "cluster.remove" };
        self.announce(principal, action, &essence::shortened(node)).await?;
        let removed = self.ports().cluster.remove(&principal.into(), node, force).await;
        self.audit(principal, action, essence::shortened(node), &removed);
        removed
    }

    async fn remove_stolen(&self, principal: &Principal, node: &str) -> Result<MemberView, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        self.announce(principal, "cluster.remove_stolen", &essence::shortened(node)).await?;
        let removed = self.ports().cluster.remove_stolen(&principal.into(), node).await;
        self.audit(principal, "cluster.remove_stolen", essence::shortened(node), &removed);
        removed
    }

    async fn rebalance(&self, principal: &Principal) -> Result<usize, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        let moves = self.ports().cluster.rebalance().await;
        self.audit(principal, "cluster.rebalance", String::new(), &moves);
        moves
    }

    async fn digests(&self, principal: &Principal) -> Result<DigestsView, Problem> {
        // It changes nothing, and costs every node a walk through all that it has.
        self.allow(principal, Action::ManageCluster)?;
        self.ports().cluster.digests().await
    }

    async fn recover(&self, principal: &Principal) -> Result<RecoveryView, Problem> {
        self.allow(principal, Action::ManageCluster)?;
        self.announce(principal, "cluster.recover", &self.0.node.id.to_string()).await?;
        let recovered = self.ports().cluster.recover(&principal.into()).await;
        self.audit(principal, "cluster.recover", self.0.node.id.to_string(), &recovered);
        recovered
    }

    fn agent_schema(&self) -> serde_json::Value {
        self.ports().agent_factory.schema()
    }

    async fn status(&self) -> NodeStatus {
        // A partition must not keep the status from being shown: it is what explains the partition.
        let dead_letters = tokio::time::timeout(STATUS_LIMIT, self.ports().messaging.dead_letter_count()).await;
        let not_ready = self.ready().err().map(|problem| problem.detail.into_owned());
        NodeStatus {
            node: self.0.node.id,
            version: self.0.node.version,
            profile: self.0.node.profile.clone(),
            ready: not_ready.is_none(),
            not_ready,
            uptime: self.0.clock.now().since(self.0.started_at),
            capabilities: (self.0.node.capabilities)(),
            active_agents: self.ports().agent_lifecycle.list().len(),
            dead_letters: dead_letters.ok().and_then(Result::ok),
            warnings: self.ports().cluster.cluster().warnings,
        }
    }

    fn ready(&self) -> Result<(), Problem> {
        if let Some(reason) = (self.0.node.not_ready)() {
            return Err(Problem::new(Code::NotReady, reason).retry_after(Duration::from_secs(1)));
        }
        self.ports().ledger.health().map_err(|error: ProposeError| {
            Problem::new(Code::NotReady, format!("the ledger takes no writes: {error}"))
                .retry_after(Duration::from_secs(1))
        })
    }
}

const fn control_action(command: ControlCommand) -> &'static str {
    match command {
        ControlCommand::Pause => "agent.pause",
        ControlCommand::Resume => "agent.resume",
        ControlCommand::Stop => "agent.stop",
        ControlCommand::Cancel { .. } => "task.cancel",
    }
}
