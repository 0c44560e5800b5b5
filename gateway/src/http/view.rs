//! How agents, tasks and the node look in JSON. Everything is borrowed from the records and written once.

use octopussy_core::agent::{AgentSpec, AgentState, Usage};
use octopussy_core::ids::TaskId;
use octopussy_core::ports::{AgentHealth, AgentView, NodeStatus, ProviderHealth, ProviderStatus};
use octopussy_core::task::{StepKey, StepOutcome, StepRecord, TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use utoipa::ToSchema;
use uuid::Uuid;

/// A moment in RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At(pub(crate) Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        let moment = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&format_args!("{moment:.3}"))
    }
}

/// Where a task is.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = TaskState)]
pub(crate) enum TaskStateName {
    /// Durable, waiting for its agent.
    Accepted,
    /// Its agent works on it.
    Running,
    /// Ended with a result.
    Succeeded,
    /// Ended with an error that a repetition would not mend.
    Failed,
    /// Ended by request.
    Cancelled,
    /// Given up on.
    DeadLettered,
}

impl From<TaskStateName> for TaskState {
    fn from(name: TaskStateName) -> Self {
        match name {
            TaskStateName::Accepted => Self::Accepted,
            TaskStateName::Running => Self::Running,
            TaskStateName::Succeeded => Self::Succeeded,
            TaskStateName::Failed => Self::Failed,
            TaskStateName::Cancelled => Self::Cancelled,
            TaskStateName::DeadLettered => Self::DeadLettered,
        }
    }
}

/// Where an agent is in its life.
#[derive(ToSchema)]
#[schema(as = AgentState, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes `AgentState` of the core, which knows no OpenAPI")]
pub(crate) enum AgentStateName {
    /// It exists and has not been made ready.
    Created,
    /// It waits for work.
    Idle,
    /// It works.
    Processing,
    /// It takes no work until it is resumed.
    Paused,
    /// Its last work failed.
    Error,
    /// It is finishing.
    Stopping,
    /// It has ended.
    Stopped,
}

/// A page of a listing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub(crate) struct PageBody<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// What to send as `after` for the next page; null on the last one.
    #[schema(required = true)]
    pub(crate) next: Option<String>,
}

/// What a task or a step cost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageBody {
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Millionths of a US dollar.
    cost_micros: u64,
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cost_micros: usage.cost_micros,
        }
    }
}

/// A completed step of a task.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Step)]
pub(crate) struct StepBody<'a> {
    index: u32,
    kind: &'static str,
    name: &'a str,
    /// The same in every attempt.
    key: String,
    by: &'a str,
    attempt: u32,
    epoch: u64,
    #[schema(value_type = StepStateName)]
    state: &'static str,
    output: &'a str,
    #[schema(value_type = String, format = DateTime)]
    started_at: At,
    #[schema(value_type = String, format = DateTime)]
    ended_at: At,
    duration_ms: u64,
    usage: UsageBody,
}

/// What came of a step.
#[derive(ToSchema)]
#[schema(as = StepState, rename_all = "lowercase")]
#[expect(dead_code, reason = "describes the two outcomes of a step")]
pub(crate) enum StepStateName {
    /// It was done.
    Done,
    /// It was tried and will not succeed.
    Failed,
}

/// A task with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Task)]
pub(crate) struct TaskBody<'a> {
    task_id: Uuid,
    agent_id: Uuid,
    #[schema(value_type = TaskStateName)]
    state: &'static str,
    /// The answer's text.
    #[schema(value_type = Option<String>, required = true)]
    result: Option<Cow<'a, str>>,
    /// The last error.
    #[schema(required = true)]
    error: Option<&'a str>,
    /// Why it was given up on.
    #[schema(required = true)]
    dead_letter: Option<&'static str>,
    /// Which attempt it is in, or was in last. A run that was cut off by a move or a restart is not one.
    attempts: u32,
    /// How many attempts may fail.
    max_attempts: u32,
    /// How often it has been begun, runs that were cut off included.
    begun: u32,
    #[schema(value_type = super::task_request::PriorityName)]
    priority: octopussy_core::message::Priority,
    #[schema(value_type = String, format = DateTime)]
    accepted_at: At,
    #[schema(value_type = String, format = DateTime)]
    updated_at: At,
    #[schema(value_type = String, format = DateTime)]
    expires_at: At,
    steps: Vec<StepBody<'a>>,
    usage: UsageBody,
    trace_id: Uuid,
    #[schema(required = true)]
    idempotency_key: Option<&'a str>,
    /// The version of its agent that it was last begun with; null before that.
    #[schema(required = true)]
    agent_version: Option<u32>,
    /// Which rules blanked parts of the answer.
    #[schema(value_type = Vec<String>)]
    redacted: Vec<Cow<'a, str>>,
    /// Whether this request created it; only in answers to submissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<bool>,
}

#[derive(Deserialize)]
struct ResultPayload<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    redacted: Vec<Cow<'a, str>>,
}

/// The text of a task's result, and the rules that blanked parts of it.
pub(crate) fn result_of(task: &TaskRecord) -> (Option<Cow<'_, str>>, Vec<Cow<'_, str>>) {
    let Some(message) = &task.result else { return (None, Vec::new()) };
    match serde_json::from_str::<ResultPayload<'_>>(message.payload().as_str()) {
        Ok(payload) => (Some(payload.text), payload.redacted),
        // A result of another shape is shown as it is rather than hidden.
        Err(_) => (Some(Cow::Borrowed(message.payload().as_str())), Vec::new()),
    }
}

/// A task in JSON.
pub(crate) fn task_body(task: &TaskRecord) -> TaskBody<'_> {
    let (result, redacted) = result_of(task);
    TaskBody {
        task_id: *task.id.as_uuid(),
        agent_id: *task.agent.as_uuid(),
        state: task.state.name(),
        result,
        error: task.error.as_deref(),
        dead_letter: task.dead_letter.map(octopussy_core::task::DeadLetterReason::name),
        attempts: task.attempts,
        max_attempts: task.max_attempts,
        begun: task.begun,
        priority: task.priority,
        accepted_at: At(task.accepted_at),
        updated_at: At(task.updated_at),
        expires_at: At(task.expires_at),
        steps: task.steps.iter().map(|step| step_body(task.id, step)).collect(),
        usage: task.usage().into(),
        trace_id: *task.message.trace_id().as_uuid(),
        idempotency_key: task.idempotency_key.as_deref(),
        agent_version: (task.agent_version > 0).then_some(task.agent_version),
        redacted,
        created: None,
    }
}

/// A step in JSON.
pub(super) fn step_body(task: TaskId, step: &StepRecord) -> StepBody<'_> {
    let (state, output) = match &step.outcome {
        StepOutcome::Done(output) => ("done", output),
        StepOutcome::Failed(output) => ("failed", output),
    };
    let duration = step.ended_at.since(step.started_at);
    StepBody {
        index: step.index,
        kind: step.kind.name(),
        name: &step.name,
        key: StepKey { task, index: step.index }.to_string(),
        by: &step.by,
        attempt: step.attempt,
        epoch: step.epoch.0,
        state,
        output,
        started_at: At(step.started_at),
        ended_at: At(step.ended_at),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        usage: step.usage.into(),
    }
}

/// An agent with what is known of it now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Agent)]
pub(crate) struct AgentBody<'a> {
    agent_id: Uuid,
    name: &'a str,
    description: &'a str,
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    agent_type: octopussy_core::agent::AgentType,
    #[schema(value_type = AgentStateName)]
    state: AgentState,
    /// What its owner wants: ACTIVE, PAUSED or STOPPED.
    #[schema(value_type = String)]
    desired: octopussy_core::agent::Desired,
    tags: &'a [String],
    /// Null: the configured default.
    #[schema(required = true)]
    provider: Option<&'a str>,
    #[schema(required = true)]
    model: Option<&'a str>,
    #[schema(value_type = String)]
    pattern: octopussy_core::agent::Pattern,
    /// How many tasks wait for it.
    waiting: usize,
    tasks_ended: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: At,
    /// The number of its present version, from 1.
    version: u32,
    /// When that came.
    #[schema(value_type = String, format = DateTime)]
    updated_at: At,
    documents: Vec<DocumentBody<'a>>,
    #[schema(value_type = Object)]
    budget: &'a octopussy_core::agent::Budget,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_heartbeat: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'static str>,
}

/// A document of an agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Document)]
pub(crate) struct DocumentBody<'a> {
    name: &'a str,
    bytes: u64,
}

/// An agent in JSON.
pub(crate) fn agent_body(agent: &AgentView) -> AgentBody<'_> {
    let record = &*agent.record;
    let spec: &AgentSpec = &record.spec;
    AgentBody {
        agent_id: *record.id.as_uuid(),
        name: &spec.name,
        description: &spec.description,
        agent_type: spec.agent_type,
        state: agent.state,
        desired: record.desired,
        tags: &spec.tags,
        provider: spec.intelligence.provider.as_deref(),
        model: spec.intelligence.model.as_deref(),
        pattern: spec.reasoning.pattern,
        waiting: agent.waiting,
        tasks_ended: record.tasks_ended,
        created_at: At(record.created_at),
        version: record.version(),
        updated_at: At(record.versions.last().map_or(record.created_at, |version| version.at)),
        documents: record
            .documents
            .iter()
            .map(|document| DocumentBody { name: &document.name, bytes: document.bytes })
            .collect(),
        budget: &spec.budget,
        last_heartbeat: agent.live.map(|live| At(live.last_heartbeat)),
        health: agent.live.map(|live| match live.health {
            AgentHealth::Healthy => "healthy",
            AgentHealth::Unhealthy => "unhealthy",
        }),
    }
}

/// A configured model provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Provider)]
pub(crate) struct ProviderBody {
    name: String,
    kind: String,
    /// Null for the embedded one.
    #[schema(required = true)]
    url: Option<String>,
    model: String,
    /// Whether it runs on machines of our own.
    local: bool,
    /// `healthy`, `unhealthy` or `unknown`.
    health: &'static str,
    #[schema(required = true)]
    detail: Option<String>,
}

/// A provider in JSON.
pub(crate) fn provider_body(provider: ProviderStatus) -> ProviderBody {
    let health = match provider.health {
        ProviderHealth::Healthy => "healthy",
        ProviderHealth::Unhealthy => "unhealthy",
        ProviderHealth::Unknown => "unknown",
    };
    let ProviderStatus { name, kind, url, model, local, detail, .. } = provider;
    ProviderBody { name, kind, url, model, local, health, detail }
}

/// The node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(crate) struct StatusBody {
    ready: bool,
    #[schema(required = true)]
    not_ready_reason: Option<String>,
    node: NodeBody,
    capabilities: Vec<CapabilityBody>,
    agents_active: usize,
    /// Of all shards; null while the leader of some shard does not answer.
    #[schema(required = true)]
    dead_letters: Option<u64>,
    /// What an operator should know of the cluster, in sentences.
    warnings: Vec<String>,
}

/// What identifies a node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeBody {
    id: String,
    version: &'static str,
    profile: String,
    uptime_seconds: u64,
}

/// A capability of a node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Capability)]
pub(crate) struct CapabilityBody {
    #[schema(value_type = String)]
    id: &'static str,
    number: u8,
    name: &'static str,
    #[schema(value_type = String)]
    layer: octopussy_core::capability::Layer,
    state: &'static str,
    #[schema(required = true)]
    detail: Option<String>,
}

/// The node in JSON.
pub(crate) fn status_body(status: NodeStatus) -> StatusBody {
    StatusBody {
        ready: status.ready,
        not_ready_reason: status.not_ready,
        node: NodeBody {
            id: status.node.to_string(),
            version: status.version,
            profile: status.profile,
            uptime_seconds: status.uptime.as_secs(),
        },
        capabilities: status
            .capabilities
            .into_iter()
            .map(|capability| CapabilityBody {
                id: capability.id.name(),
                number: capability.id.number(),
                name: capability.id.name(),
                layer: capability.id.entry().layer,
                state: capability.state,
                detail: capability.detail,
            })
            .collect(),
        agents_active: status.active_agents,
        dead_letters: status.dead_letters,
        warnings: status.warnings,
    }
}
