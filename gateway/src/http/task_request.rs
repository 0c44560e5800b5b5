//! A task as a client asks for it in JSON.

use octopussy_core::ids::{AgentId, TraceId};
use octopussy_core::message::Priority;
use octopussy_core::ports::{SubmitTask, TaskRequestDocument};
use octopussy_core::problem::{Code, Problem};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A task as a client asks for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskRequest {
    /// The agent's name or id; absent: the best one for the input.
    #[serde(default)]
    pub(crate) agent: Option<String>,
    /// What is to be done, in words; at most 256 KiB.
    #[schema(min_length = 1)]
    pub(crate) input: String,
    /// Earlier turns of the conversation, oldest first.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub(crate) history: Vec<Turn>,
    /// What the answer must respect.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) constraints: Vec<String>,
    /// Material for this task; at most 8 MiB together.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub(crate) documents: Vec<DocumentRequest>,
    /// How urgent it is.
    #[serde(default)]
    pub(crate) priority: PriorityName,
    /// For how long it counts; absent: 300.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 604_800)]
    pub(crate) ttl_seconds: Option<u64>,
    /// How often it may be begun; absent: 3.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10)]
    pub(crate) max_attempts: Option<u32>,
    /// Makes repetitions of the request harmless; the header Idempotency-Key goes before it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) idempotency_key: Option<String>,
}

/// One turn of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Turn {
    /// Who spoke.
    role: TurnRole,
    /// What was said.
    content: String,
}

/// Who spoke.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TurnRole {
    /// Whoever asks.
    User,
    /// Whoever answers.
    Assistant,
    /// Whoever sets the frame.
    System,
}

/// A document that comes with a task.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentRequest {
    /// The name that citations show.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// Its text.
    text: String,
}

/// Urgency; strictly higher first.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = Priority)]
pub(crate) enum PriorityName {
    /// Before everything else.
    #[serde(alias = "critical")]
    Critical,
    /// Before the normal.
    #[serde(alias = "high")]
    High,
    /// The usual.
    #[default]
    #[serde(alias = "normal")]
    Normal,
    /// When nothing else is waiting.
    #[serde(alias = "low")]
    Low,
}

impl From<PriorityName> for Priority {
    fn from(name: PriorityName) -> Self {
        match name {
            PriorityName::Critical => Self::Critical,
            PriorityName::High => Self::High,
            PriorityName::Normal => Self::Normal,
            PriorityName::Low => Self::Low,
        }
    }
}

impl TaskRequest {
    /// The request as the orchestrator takes it.
    pub(crate) fn into_submit(self, key: Option<String>, trace: Option<TraceId>) -> SubmitTask {
        SubmitTask {
            agent: self.agent.as_deref().map(agent_id),
            input: self.input,
            history: self.history.into_iter().map(|turn| (turn.role.name().to_owned(), turn.content)).collect(),
            constraints: self.constraints,
            documents: self
                .documents
                .into_iter()
                .map(|document| TaskRequestDocument { name: document.name, text: document.text })
                .collect(),
            priority: self.priority.into(),
            ttl: self.ttl_seconds.map(Duration::from_secs),
            max_attempts: self.max_attempts,
            idempotency_key: key.or(self.idempotency_key),
            trace_id: trace,
        }
    }
}

impl TurnRole {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }
}

/// The agent that `text` names: by id when it is a UUID, otherwise by name.
pub(crate) fn agent_id(text: &str) -> AgentId {
    Uuid::try_parse(text).map_or_else(|_| AgentId::from_name(text), AgentId::from_uuid)
}

/// Says which agent is unknown in the caller's own words, where a name was given.
pub(crate) fn with_agent_name(mut problem: Problem, text: &str) -> Problem {
    if problem.code == Code::UnknownAgent && Uuid::try_parse(text).is_err() {
        let shown: String = text.chars().take(64).collect();
        problem.detail = format!("there is no agent {shown:?}").into();
    }
    problem
}
