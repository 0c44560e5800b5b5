//! The one door behind every interface: REST, WebSocket and the OpenAI-compatible API call nothing else.

use super::{
    AgentBundle, AgentChange, AgentStatus, ApiTokenInfo, ClusterView, ControlCommand, DigestsView, EventId,
    IssuedToken, JoinTokenInfo, JoinTokenView, MemberChangeView, MemberRole, MemberView, Page, Principal,
    PrincipalRole, ProviderStatus, RecoveryView, RotationView, ShardView, Subscription, TaskQuery, TokenUse, Topic,
};
use crate::agent::{AgentRecord, AgentState};
use crate::capability::CapabilityId;
use crate::contract::{Port, PortId};
use crate::ids::{AgentId, NodeId, TaskId, TraceId};
use crate::message::Priority;
use crate::problem::{Finding, Problem};
use crate::task::TaskRecord;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;

/// A document that comes with a task.
#[derive(Debug, Clone)]
pub struct TaskRequestDocument {
    /// The name that citations show.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A task as a client asks for it.
#[derive(Debug, Clone)]
pub struct SubmitTask {
    /// The agent; absent: the best one for the input.
    pub agent: Option<AgentId>,
    /// What is to be done.
    pub input: String,
    /// Earlier turns, as (role, text).
    pub history: Vec<(String, String)>,
    /// What the answer must respect.
    pub constraints: Vec<String>,
    /// Material for this task.
    pub documents: Vec<TaskRequestDocument>,
    /// How urgent it is.
    pub priority: Priority,
    /// For how long it counts.
    pub ttl: Option<Duration>,
    /// How often it may be begun; absent: three times.
    pub max_attempts: Option<u32>,
    /// Makes repetitions of the request harmless.
    pub idempotency_key: Option<String>,
    /// The caller's trace.
    pub trace_id: Option<TraceId>,
}

/// What came of a submission.
#[derive(Debug, Clone)]
pub struct SubmittedTask {
    /// The task, as committed.
    pub task: Arc<TaskRecord>,
    /// Whether this request created it (as opposed to an earlier one under the same key).
    pub created: bool,
}

/// An agent with what is known of it now.
#[derive(Debug, Clone)]
pub struct AgentView {
    /// As the ledger has it.
    pub record: Arc<AgentRecord>,
    /// What outside sees: the live state of an active agent, otherwise what follows from its record.
    pub state: AgentState,
    /// Its live status, when it is active.
    pub live: Option<AgentStatus>,
    /// How many tasks wait for it.
    pub waiting: usize,
}

/// A capability of this node.
#[derive(Debug, Clone)]
pub struct CapabilityView {
    /// Which.
    pub id: CapabilityId,
    /// Its phase, such as `runtime`.
    pub state: &'static str,
    /// What is wrong, when something is.
    pub detail: Option<String>,
}

/// This node.
#[derive(Debug, Clone)]
pub struct NodeStatus {
    /// Its id.
    pub node: NodeId,
    /// The program's version.
    pub version: &'static str,
    /// The profile in force.
    pub profile: String,
    /// Whether it takes work.
    pub ready: bool,
    /// Why not, when not.
    pub not_ready: Option<String>,
    /// For how long it has been up.
    pub uptime: Duration,
    /// Its capabilities, in start order.
    pub capabilities: Vec<CapabilityView>,
    /// Agents active now.
    pub active_agents: usize,
    /// Dead letters of all shards; `None` while some shard's leader does not answer.
    pub dead_letters: Option<u64>,
    /// What an operator should know of the cluster, in sentences.
    pub warnings: Vec<String>,
}

/// Everything a client can ask of a node. `principal` is who asks; each call checks what it may.
#[async_trait]
pub trait OrchestratorPort: Send + Sync {
    /// Accepts a task durably.
    async fn submit(&self, principal: &Principal, task: SubmitTask) -> Result<SubmittedTask, Problem>;

    /// A task; with `wait`, once it has ended or the time is up.
    async fn task(&self, principal: &Principal, id: TaskId, wait: Option<Duration>)
    -> Result<Arc<TaskRecord>, Problem>;

    /// Tasks, newest first.
    async fn tasks(&self, principal: &Principal, query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, Problem>;

    /// Asks for a task to end.
    async fn cancel(&self, principal: &Principal, id: TaskId) -> Result<Arc<TaskRecord>, Problem>;

    /// News.
    async fn watch(&self, principal: &Principal, topic: Topic, after: Option<EventId>)
    -> Result<Subscription, Problem>;

    /// Checks an agent's directory.
    async fn validate_agent(&self, principal: &Principal, bundle: AgentBundle) -> Result<Vec<Finding>, Problem>;

    /// Creates an agent from its directory.
    async fn create_agent(&self, principal: &Principal, bundle: AgentBundle) -> Result<AgentView, Problem>;

    /// Gives an agent another version, from its directory.
    async fn update_agent(&self, principal: &Principal, id: AgentId, bundle: AgentBundle)
    -> Result<AgentView, Problem>;

    /// What leads from one remembered version of an agent to another.
    async fn diff_agent(
        &self,
        principal: &Principal,
        id: AgentId,
        from: u32,
        to: u32,
    ) -> Result<Vec<AgentChange>, Problem>;

    /// What a directory would change in an agent.
    async fn diff_agent_with(
        &self,
        principal: &Principal,
        id: AgentId,
        bundle: AgentBundle,
    ) -> Result<Vec<AgentChange>, Problem>;

    /// Forgets an agent; with `force` its tasks that have not ended are cancelled first. Answers with how many those were.
    async fn delete_agent(&self, principal: &Principal, id: AgentId, force: bool) -> Result<u64, Problem>;

    /// Lets an agent's spending start anew.
    async fn reset_budget(&self, principal: &Principal, id: AgentId) -> Result<AgentView, Problem>;

    /// An agent by id.
    async fn agent(&self, principal: &Principal, id: AgentId) -> Result<AgentView, Problem>;

    /// Agents, by id.
    async fn agents(
        &self,
        principal: &Principal,
        after: Option<AgentId>,
        limit: usize,
    ) -> Result<Page<AgentView>, Problem>;

    /// Sends a CONTROL message to an agent and answers with the agent after it.
    async fn control(&self, principal: &Principal, id: AgentId, command: ControlCommand) -> Result<AgentView, Problem>;

    /// Dead letters, newest first.
    async fn dead_letters(
        &self,
        principal: &Principal,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Page<Arc<TaskRecord>>, Problem>;

    /// Tries a dead letter again.
    async fn replay(&self, principal: &Principal, id: TaskId) -> Result<Arc<TaskRecord>, Problem>;

    /// Forgets a dead letter.
    async fn discard(&self, principal: &Principal, id: TaskId) -> Result<(), Problem>;

    /// Configured model providers.
    fn providers(&self, principal: &Principal) -> Result<Vec<ProviderStatus>, Problem>;

    /// The names of the secrets there are, never their values.
    async fn secret_names(&self, principal: &Principal) -> Result<Vec<String>, Problem>;

    /// Sets a secret, or replaces it and announces the rotation.
    async fn set_secret(&self, principal: &Principal, name: &str, value: String) -> Result<(), Problem>;

    /// Removes a secret that somebody has set.
    async fn delete_secret(&self, principal: &Principal, name: &str) -> Result<(), Problem>;

    /// Begins to replace the keys in a secret that nodes generate themselves, such as the message signing key.
    async fn rotate_secret(&self, principal: &Principal, name: &str) -> Result<RotationView, Problem>;

    /// Begins to replace the keys of every kind; with `now`, what was signed before is good no longer.
    async fn rotate_keys(&self, principal: &Principal, now: bool) -> Result<Vec<RotationView>, Problem>;

    /// Begins to replace the cluster's authority by a new one; with `now`, the one before is trusted no longer.
    async fn rotate_authority(&self, principal: &Principal, now: bool) -> Result<RotationView, Problem>;

    /// Makes a token for a user or a program.
    async fn create_token(
        &self,
        principal: &Principal,
        name: &str,
        role: PrincipalRole,
        valid_for: Duration,
    ) -> Result<IssuedToken, Problem>;

    /// The tokens that are good, and those that would be had nobody revoked them, the newest first.
    fn tokens(&self, principal: &Principal) -> Result<Vec<ApiTokenInfo>, Problem>;

    /// Revokes a token.
    async fn revoke_token(&self, principal: &Principal, id: &str) -> Result<(), Problem>;

    /// The cluster as a whole.
    fn cluster(&self, principal: &Principal) -> Result<ClusterView, Problem>;

    /// Its members, by name.
    fn members(&self, principal: &Principal) -> Result<Vec<MemberView>, Problem>;

    /// Its shards, by number.
    fn ring(&self, principal: &Principal) -> Result<Vec<ShardView>, Problem>;

    /// What became of members lately, the newest first.
    fn member_history(&self, principal: &Principal) -> Result<Vec<MemberChangeView>, Problem>;

    /// Makes a join token.
    async fn create_join_token(
        &self,
        principal: &Principal,
        uses: TokenUse,
        role: MemberRole,
        valid_for: Duration,
    ) -> Result<JoinTokenView, Problem>;

    /// The join tokens, the newest first.
    fn join_tokens(&self, principal: &Principal) -> Result<Vec<JoinTokenInfo>, Problem>;

    /// Withdraws a join token.
    async fn revoke_join_token(&self, principal: &Principal, id: &str) -> Result<(), Problem>;

    /// Moves everything off a node, or lets it take part again.
    async fn drain(&self, principal: &Principal, node: &str, drain: bool) -> Result<MemberView, Problem>;

    /// Removes a node.
    async fn remove_member(&self, principal: &Principal, node: &str, force: bool) -> Result<MemberView, Problem>;

    /// Removes a node that was stolen, and replaces what it knows.
    async fn remove_stolen(&self, principal: &Principal, node: &str) -> Result<MemberView, Problem>;

    /// Answers how many shards are moving or have yet to; the cluster moves them by itself, a few at a time.
    async fn rebalance(&self, principal: &Principal) -> Result<usize, Problem>;

    /// Compares what the replicas of all groups have applied.
    async fn digests(&self, principal: &Principal) -> Result<DigestsView, Problem>;

    /// Makes this node the only voter of every group whose quorum is lost for good, and takes the lost nodes out.
    async fn recover(&self, principal: &Principal) -> Result<RecoveryView, Problem>;

    /// The JSON Schema of `agent.yaml`.
    fn agent_schema(&self) -> serde_json::Value;

    /// This node.
    async fn status(&self) -> NodeStatus;

    /// Whether this node takes work; otherwise why not.
    fn ready(&self) -> Result<(), Problem>;
}

impl Port for dyn OrchestratorPort {
    const ID: PortId = PortId::Orchestrator;
}
