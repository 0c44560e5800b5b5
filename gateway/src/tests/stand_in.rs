//! A node that does what the tests say.

use super::clock::MachineClock;
use super::cluster::Cluster;
use super::tokens::Tokens;
use async_trait::async_trait;
use futures::StreamExt;
use octopussy_core::agent::{AgentRecord, AgentSpec, AgentState, Desired, Usage, UsageWindow};
use octopussy_core::ids::{AgentId, Epoch, MessageId, NodeId, PartyId, ShardId, TaskId, TraceId};
use octopussy_core::message::{Message, MessageDraft, MessageType, Payload, Priority};
use octopussy_core::ports::{
    Action, AgentBundle, AgentChange, AgentView, ApiTokenInfo, ClusterView, ControlCommand, DigestsView, Event,
    EventId, EventKind, GroupDigestsView, IssuedToken, JoinTokenInfo, JoinTokenView, KeyKind, MemberChangeView,
    MemberDesired, MemberRole, MemberView, NodeStatus, OrchestratorPort, Page, Principal, PrincipalRole,
    ProviderStatus, RecoveryView, ReplicaDigestView, RotationView, SecurityPort, ShardView, SubmitTask, SubmittedTask,
    Subscription, TaskQuery, TokenUse, Topic,
};
use octopussy_core::problem::{Code, Finding, Problem};
use octopussy_core::task::{Refusal, StepKind, StepOutcome, StepRecord, TaskRecord, TaskState};
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use uuid::Uuid;

/// A watcher, as the node sees it.
pub(super) struct Watcher {
    pub(super) topic: Topic,
    pub(super) after: Option<EventId>,
    pub(super) news: mpsc::UnboundedSender<Event>,
}

/// The node: tasks and agents in memory, watchers in the order they came.
pub(super) struct Node {
    tasks: Mutex<BTreeMap<TaskId, Arc<TaskRecord>>>,
    watchers: Mutex<Vec<Watcher>>,
    /// Ticks with every change a test may wait for.
    changes: watch::Sender<u64>,
    pub(super) controls: Mutex<Vec<ControlCommand>>,
    pub(super) submitted: Mutex<Vec<SubmitTask>>,
    looks: Mutex<Vec<TaskId>>,
    pub(super) down: AtomicBool,
    pub(super) panics: AtomicBool,
    pub(super) cluster: Cluster,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            tasks: Mutex::default(),
            watchers: Mutex::default(),
            changes: watch::Sender::new(0),
            controls: Mutex::default(),
            submitted: Mutex::default(),
            looks: Mutex::default(),
            down: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            cluster: Cluster::default(),
        }
    }
}

/// The agent there is.
pub(super) const AGENT: &str = "scribe";

fn message(agent: AgentId, message_type: MessageType, payload: &serde_json::Value) -> Arc<Message> {
    Arc::new(Tokens::default().sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::now_v7()),
        sender_id: PartyId::from_uuid(Uuid::nil()),
        recipient_id: agent.into(),
        message_type,
        payload: Payload::from_value(payload).unwrap(),
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(Uuid::now_v7()),
        created_at: MachineClock.now(),
        ttl: Duration::from_secs(300),
    }))
}

impl Node {
    /// A task that waits.
    pub(super) fn accept(&self, key: Option<Arc<str>>) -> Arc<TaskRecord> {
        let agent = AgentId::from_name(AGENT);
        let now = MachineClock.now();
        let task = Arc::new(TaskRecord {
            id: TaskId::for_agent(agent, Uuid::now_v7()),
            agent,
            sender: PartyId::from_uuid(Uuid::nil()),
            message: message(agent, MessageType::Task, &serde_json::json!({"input": "write"})),
            priority: Priority::Normal,
            sequence: 1,
            state: TaskState::Accepted,
            accepted_at: now,
            updated_at: now,
            expires_at: now.plus(Duration::from_secs(300)),
            attempts: 0,
            max_attempts: 3,
            epoch: Epoch(1),
            steps: Vec::new(),
            result: None,
            error: None,
            dead_letter: None,
            idempotency_key: key,
            begun: 1,
            crashes: 0,
            agent_version: 0,
        });
        self.put(task.clone());
        task
    }

    fn put(&self, task: Arc<TaskRecord>) {
        self.tasks.lock().insert(task.id, task);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Ends a task with an answer.
    pub(super) fn succeed(&self, id: TaskId, answer: &str) -> Arc<TaskRecord> {
        let mut task = (*self.tasks.lock()[&id]).clone();
        task.state = TaskState::Succeeded;
        task.attempts = 1;
        task.steps.push(Arc::new(StepRecord {
            index: 0,
            kind: StepKind::Model,
            name: "answer".into(),
            by: "embedded/words".into(),
            attempt: 1,
            epoch: Epoch(1),
            started_at: task.accepted_at,
            ended_at: task.accepted_at.plus(Duration::from_millis(5)),
            outcome: StepOutcome::Done(answer.into()),
            usage: Usage { prompt_tokens: 11, completion_tokens: 7, cost_micros: 3 },
        }));
        task.result = Some(message(task.agent, MessageType::Result, &serde_json::json!({"text": answer})));
        let task = Arc::new(task);
        self.put(task.clone());
        task
    }

    /// The `index`th watcher, once it is there.
    pub(super) async fn watcher(&self, index: usize) -> mpsc::UnboundedSender<Event> {
        let mut changes = self.changes.subscribe();
        super::soon("a watcher's subscription", changes.wait_for(|_| self.watchers.lock().len() > index))
            .await
            .unwrap();
        self.watchers.lock()[index].news.clone()
    }

    pub(super) fn watched(&self, index: usize) -> (Topic, Option<EventId>) {
        let watchers = self.watchers.lock();
        (watchers[index].topic, watchers[index].after)
    }

    /// The first task, once it is there.
    pub(super) async fn first_task(&self) -> TaskId {
        let mut changes = self.changes.subscribe();
        super::soon("a submission", changes.wait_for(|_| !self.tasks.lock().is_empty())).await.unwrap();
        *self.tasks.lock().keys().next().unwrap()
    }

    /// The task as it was accepted.
    pub(super) fn accepted(&self, id: TaskId) -> Arc<TaskRecord> {
        self.tasks.lock()[&id].clone()
    }

    /// Waits until somebody has asked for the task.
    pub(super) async fn looked_at(&self, id: TaskId) {
        let mut changes = self.changes.subscribe();
        super::soon("a look at the task", changes.wait_for(|_| self.looks.lock().contains(&id))).await.unwrap();
    }

    fn manages(&self, principal: &Principal) -> Result<(), Problem> {
        if principal.role >= Action::ManageAgents.requires() {
            Ok(())
        } else {
            Err(Problem::new(Code::Forbidden, "for operators"))
        }
    }

    fn view(&self, id: AgentId) -> Result<AgentView, Problem> {
        if id != AgentId::from_name(AGENT) {
            return Err(Refusal::UnknownAgent(id).into());
        }
        Ok(AgentView {
            record: Arc::new(agent_record(AGENT, "Writes.", "")),
            state: AgentState::Idle,
            live: None,
            waiting: 0,
        })
    }
}

/// An agent's record.
pub(crate) fn agent_record(name: &str, description: &str, goal: &str) -> AgentRecord {
    let spec = AgentSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        goal: goal.to_owned(),
        ..AgentSpec::default()
    };
    AgentRecord {
        id: AgentId::from_name(name),
        spec: Arc::new(spec),
        documents: Arc::new([]),
        created_at: Timestamp::from_millis(1_700_000_000_000),
        desired: Desired::Active,
        usage: UsageWindow::default(),
        memory: None,
        tasks_ended: 0,
        versions: Arc::new([]),
    }
}

/// News of a task.
pub(super) fn news(task: &TaskRecord, sequence: u64, kind: EventKind) -> Event {
    let id = EventId { epoch: Epoch(1), sequence };
    Event { id, at: MachineClock.now(), agent: task.agent, task: Some(task.id), kind }
}

#[async_trait]
impl OrchestratorPort for Node {
    async fn submit(&self, principal: &Principal, task: SubmitTask) -> Result<SubmittedTask, Problem> {
        if principal.role < PrincipalRole::User {
            return Err(Problem::new(Code::Forbidden, "looking only"));
        }
        self.view(task.agent.unwrap_or_else(|| AgentId::from_name(AGENT)))?;
        let key: Option<Arc<str>> = task.idempotency_key.as_deref().map(Arc::from);
        self.submitted.lock().push(task);
        Ok(SubmittedTask { task: self.accept(key), created: true })
    }
    async fn task(&self, _: &Principal, id: TaskId, wait: Option<Duration>) -> Result<Arc<TaskRecord>, Problem> {
        assert!(!self.panics.load(Ordering::SeqCst), "asked to panic");
        let found = || self.tasks.lock().get(&id).cloned();
        if let Some(limit) = wait {
            let mut changes = self.changes.subscribe();
            let ended = changes.wait_for(|_| found().is_none_or(|task| task.state.is_ended()));
            let _ = tokio::time::timeout(limit, ended).await.map(|ended| ended.map(|_| ()));
        }
        let task = found().ok_or_else(|| Refusal::UnknownTask(id).into());
        self.looks.lock().push(id);
        self.changes.send_modify(|count| *count += 1);
        task
    }
    async fn tasks(&self, _: &Principal, query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, Problem> {
        let tasks = self.tasks.lock();
        let mut items: Vec<_> =
            tasks.values().rev().filter(|task| query.after.is_none_or(|a| task.id < a)).cloned().collect();
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        Ok(Page { items, more })
    }
    async fn cancel(&self, principal: &Principal, id: TaskId) -> Result<Arc<TaskRecord>, Problem> {
        self.task(principal, id, None).await
    }
    async fn watch(&self, _: &Principal, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem> {
        let (news, receiver) = mpsc::unbounded_channel();
        self.watchers.lock().push(Watcher { topic, after, news });
        self.changes.send_modify(|count| *count += 1);
        Ok(UnboundedReceiverStream::new(receiver).boxed())
    }
    async fn validate_agent(&self, _: &Principal, bundle: AgentBundle) -> Result<Vec<Finding>, Problem> {
        let missing = bundle.file("agent.yaml").is_none();
        let finding = || Finding { file: "agent.yaml".into(), line: None, message: "is missing".into(), hint: None };
        Ok(missing.then(finding).into_iter().collect())
    }
    async fn create_agent(&self, principal: &Principal, bundle: AgentBundle) -> Result<AgentView, Problem> {
        let findings = self.validate_agent(principal, bundle).await?;
        if !findings.is_empty() {
            return Err(Problem::new(Code::InvalidAgent, "1 finding").findings(findings));
        }
        self.view(AgentId::from_name(AGENT))
    }
    async fn update_agent(
        &self,
        principal: &Principal,
        id: AgentId,
        bundle: AgentBundle,
    ) -> Result<AgentView, Problem> {
        self.manages(principal)?;
        self.view(id)?;
        self.create_agent(principal, bundle).await
    }
    async fn diff_agent(&self, _: &Principal, id: AgentId, from: u32, to: u32) -> Result<Vec<AgentChange>, Problem> {
        self.view(id)?;
        let change = |key: &str, before: u32, after: u32| AgentChange {
            file: "agent.yaml".to_owned(),
            key: Some(key.to_owned()),
            before: Some(before.to_string()),
            after: Some(after.to_string()),
        };
        Ok(vec![change("version", from, to)])
    }
    async fn diff_agent_with(
        &self,
        _: &Principal,
        id: AgentId,
        bundle: AgentBundle,
    ) -> Result<Vec<AgentChange>, Problem> {
        self.view(id)?;
        let new = |file: &octopussy_core::ports::BundleFile| AgentChange {
            file: file.path.clone(),
            key: None,
            before: None,
            after: Some(file.text.clone()),
        };
        Ok(bundle.files.iter().map(new).collect())
    }
    async fn delete_agent(&self, principal: &Principal, id: AgentId, force: bool) -> Result<u64, Problem> {
        self.manages(principal)?;
        self.view(id)?;
        if force { Ok(2) } else { Err(Refusal::AgentBusy { agent: id, tasks: 2 }.into()) }
    }
    async fn reset_budget(&self, principal: &Principal, id: AgentId) -> Result<AgentView, Problem> {
        self.manages(principal)?;
        self.view(id)
    }
    async fn agent(&self, _: &Principal, id: AgentId) -> Result<AgentView, Problem> {
        self.view(id)
    }
    async fn agents(&self, _: &Principal, _: Option<AgentId>, _: usize) -> Result<Page<AgentView>, Problem> {
        Ok(Page { items: vec![self.view(AgentId::from_name(AGENT))?], more: false })
    }
    async fn control(&self, _: &Principal, id: AgentId, command: ControlCommand) -> Result<AgentView, Problem> {
        let view = self.view(id)?;
        self.controls.lock().push(command);
        Ok(view)
    }
    async fn dead_letters(&self, _: &Principal, _: Option<TaskId>, _: usize) -> Result<Page<Arc<TaskRecord>>, Problem> {
        Ok(Page { items: Vec::new(), more: false })
    }
    async fn replay(&self, _: &Principal, id: TaskId) -> Result<Arc<TaskRecord>, Problem> {
        Err(Refusal::NotDeadLettered(id).into())
    }
    async fn discard(&self, _: &Principal, id: TaskId) -> Result<(), Problem> {
        Err(Refusal::NotDeadLettered(id).into())
    }
    fn providers(&self, _: &Principal) -> Result<Vec<ProviderStatus>, Problem> {
        Ok(Vec::new())
    }
    async fn secret_names(&self, principal: &Principal) -> Result<Vec<String>, Problem> {
        if principal.role < PrincipalRole::Admin {
            return Err(Problem::new(Code::Forbidden, "for administrators"));
        }
        Ok(vec!["llm/key".to_owned()])
    }
    async fn set_secret(&self, _: &Principal, name: &str, _: String) -> Result<(), Problem> {
        if name == "llm/key" { Ok(()) } else { Err(Problem::new(Code::Unprocessable, "not a name")) }
    }
    async fn delete_secret(&self, _: &Principal, name: &str) -> Result<(), Problem> {
        if name == "llm/key" { Ok(()) } else { Err(Problem::new(Code::SecretConflict, "nodes make it")) }
    }
    async fn rotate_secret(&self, _: &Principal, name: &str) -> Result<RotationView, Problem> {
        let kind = KeyKind::of_secret(name).ok_or_else(|| Problem::new(Code::SecretConflict, "a user has set it"))?;
        Ok(RotationView { kind, key: "7f".to_owned(), overlap: Duration::from_secs(60) })
    }
    async fn rotate_keys(&self, principal: &Principal, now: bool) -> Result<Vec<RotationView>, Problem> {
        self.cluster.ask(principal, format!("rotate keys {now}"))?;
        Ok(Vec::new())
    }
    async fn rotate_authority(&self, principal: &Principal, now: bool) -> Result<RotationView, Problem> {
        self.cluster.ask(principal, format!("rotate ca {now}"))?;
        Ok(RotationView { kind: KeyKind::Authority, key: "7f".to_owned(), overlap: Duration::from_secs(60) })
    }
    async fn create_token(
        &self,
        principal: &Principal,
        name: &str,
        role: PrincipalRole,
        valid_for: Duration,
    ) -> Result<IssuedToken, Problem> {
        self.cluster.ask(principal, format!("api token {name} {} {}", role.name(), valid_for.as_secs()))?;
        let (id, token) = ("00aa".into(), "header.claims.signature".to_owned());
        Ok(IssuedToken { id, token, expires_at: Timestamp::EPOCH.plus(valid_for) })
    }
    fn tokens(&self, principal: &Principal) -> Result<Vec<ApiTokenInfo>, Problem> {
        self.cluster.ask(principal, "api tokens".to_owned())?;
        Ok(vec![ApiTokenInfo {
            id: "00aa".to_owned(),
            name: "chat".to_owned(),
            role: PrincipalRole::User,
            expires_at: Timestamp::EPOCH,
            made_at: Timestamp::EPOCH,
            made_by: "admin".to_owned(),
            made_at_node: "cellar".to_owned(),
            own: false,
            revoked: Some((Timestamp::EPOCH, "ada".to_owned())),
        }])
    }
    async fn revoke_token(&self, principal: &Principal, id: &str) -> Result<(), Problem> {
        self.cluster.ask(principal, format!("revoke api token {id}"))
    }
    fn cluster(&self, principal: &Principal) -> Result<ClusterView, Problem> {
        self.cluster.view(principal)
    }
    fn members(&self, _: &Principal) -> Result<Vec<MemberView>, Problem> {
        Ok(vec![self.cluster.member(MemberDesired::Active)])
    }
    fn ring(&self, _: &Principal) -> Result<Vec<ShardView>, Problem> {
        Ok(self.cluster.ring())
    }
    fn member_history(&self, _: &Principal) -> Result<Vec<MemberChangeView>, Problem> {
        Ok(vec![MemberChangeView {
            at: Timestamp::EPOCH,
            node: "01ab".to_owned(),
            name: "attic".to_owned(),
            event: "leaving".to_owned(),
            by: Some("ada".to_owned()),
            by_role: Some(PrincipalRole::Admin),
            at_node: Some("cellar".to_owned()),
        }])
    }
    async fn create_join_token(
        &self,
        principal: &Principal,
        uses: TokenUse,
        role: MemberRole,
        valid_for: Duration,
    ) -> Result<JoinTokenView, Problem> {
        self.cluster.ask(principal, format!("token {role:?} {uses:?} {}", valid_for.as_secs()))?;
        let (id, token) = ("7f".to_owned(), "octo-join".to_owned());
        Ok(JoinTokenView { id, token, role, expires_at: Timestamp::EPOCH.plus(valid_for), uses })
    }
    fn join_tokens(&self, principal: &Principal) -> Result<Vec<JoinTokenInfo>, Problem> {
        self.cluster.ask(principal, "tokens".to_owned())?;
        Ok(vec![JoinTokenInfo {
            id: "7f".to_owned(),
            role: MemberRole::Guest,
            uses: TokenUse::Timed,
            used_by: vec!["attic".to_owned()],
            expires_at: Timestamp::EPOCH,
            made_at: Timestamp::EPOCH,
            made_by: "admin".to_owned(),
            made_at_node: "cellar".to_owned(),
        }])
    }
    async fn revoke_join_token(&self, principal: &Principal, id: &str) -> Result<(), Problem> {
        self.cluster.ask(principal, format!("revoke {id}"))
    }
    async fn drain(&self, principal: &Principal, node: &str, drain: bool) -> Result<MemberView, Problem> {
        self.cluster.ask(principal, format!("drain {node} {drain}"))?;
        Ok(self.cluster.member(if drain { MemberDesired::Draining } else { MemberDesired::Active }))
    }
    async fn remove_member(&self, principal: &Principal, node: &str, force: bool) -> Result<MemberView, Problem> {
        self.cluster.ask(principal, format!("remove {node} {force}"))?;
        Ok(self.cluster.member(MemberDesired::Leaving))
    }
    async fn remove_stolen(&self, principal: &Principal, node: &str) -> Result<MemberView, Problem> {
        self.cluster.ask(principal, format!("remove stolen {node}"))?;
        Ok(self.cluster.member(MemberDesired::Leaving))
    }
    async fn rebalance(&self, principal: &Principal) -> Result<usize, Problem> {
        self.cluster.ask(principal, "rebalance".to_owned())?;
        Ok(3)
    }
    async fn digests(&self, principal: &Principal) -> Result<DigestsView, Problem> {
        self.cluster.ask(principal, "digests".to_owned())?;
        let replica = ReplicaDigestView { node: "attic".to_owned(), term: 2, applied: 9, digest: "ab".repeat(32) };
        let group = GroupDigestsView { shard: Some(4), replicas: vec![replica], agree: Some(true) };
        Ok(DigestsView { groups: vec![group], silent: vec!["cellar: it is not connected".to_owned()] })
    }
    async fn recover(&self, principal: &Principal) -> Result<RecoveryView, Problem> {
        self.cluster.ask(principal, "recover".to_owned())?;
        Ok(RecoveryView { shards: vec![ShardId(2), ShardId(5)], control: true, lost: vec!["attic".to_owned()] })
    }
    fn agent_schema(&self) -> serde_json::Value {
        serde_json::json!({"type": "object"})
    }
    async fn status(&self) -> NodeStatus {
        NodeStatus {
            node: NodeId([1; 16]),
            version: "0.1.0",
            profile: "test".into(),
            ready: true,
            not_ready: None,
            uptime: Duration::from_secs(1),
            capabilities: Vec::new(),
            active_agents: 0,
            dead_letters: Some(0),
            warnings: vec!["two nodes cannot outvote a loss".into()],
        }
    }
    fn ready(&self) -> Result<(), Problem> {
        if self.down.load(Ordering::SeqCst) {
            Err(Problem::new(Code::NotReady, "the ledger takes no writes"))
        } else {
            Ok(())
        }
    }
}
