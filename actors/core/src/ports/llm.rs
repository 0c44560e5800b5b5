//! Models: one provider, and the router that chooses among them.

use crate::agent::{Intelligence, Usage};
use crate::contract::{Port, PortId};
use crate::ids::TraceId;
use crate::task::StepKey;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest answer that is taken in, in bytes: more than any model writes at once, little enough to be journaled as one step.
pub const MAX_COMPLETION_BYTES: usize = 1024 * 1024;

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Role {
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChatTurn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
}

/// A passage of material that the answer may rest on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Passage {
    /// The document's name.
    pub source: String,
    /// The line of the document at which the passage begins, from 1.
    pub line: u32,
    /// The text.
    pub text: String,
    /// Whether the injection scan found in it what instructions to a model look like. It is told to the model, and the passage is
    /// kept: what documents are about must not decide whether they can be read.
    #[serde(default)]
    pub suspicious: bool,
}

impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.line)
    }
}

/// What a call is for. Language models read the instructions; the embedded model, which does not, goes by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Intent {
    /// Answer the question.
    #[default]
    Answer,
    /// Break the question into parts, one a line.
    Plan,
    /// Say what the last answer misses.
    Review,
    /// Write the answer anew with what the review found.
    Revise,
    /// Bring partial answers together.
    Synthesize,
}

/// One call of a model.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ChatRequest {
    /// The model's name at the provider; absent: the provider's default.
    pub model: Option<String>,
    /// The standing instruction.
    pub system: String,
    /// Material to rest on.
    pub passages: Vec<Passage>,
    /// What earlier steps of the run yielded, as (name, text). Made from material, so that it is material as well.
    pub earlier: Vec<(String, String)>,
    /// What whoever asks wants respected, one line each. Their word, and not the operator's.
    pub constraints: Vec<String>,
    /// The conversation; the last turn is the user's.
    pub turns: Vec<ChatTurn>,
    /// What the call is for.
    pub intent: Intent,
    /// From 0 to 2.
    pub temperature: f32,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// Whether the answer must be a JSON value.
    pub json: bool,
    /// The longest the call may take.
    pub timeout: Duration,
    /// Names the call so that a repetition can be recognised.
    pub key: Option<StepKey>,
    /// The trace of the request that it is made for. It is no part of what is asked: where a call travels, it does so beside it.
    #[serde(skip)]
    pub trace: Option<TraceId>,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Completion {
    /// The answer.
    pub text: String,
    /// Who answered, as `provider/model`.
    pub by: String,
    /// What it cost.
    pub usage: Usage,
}

/// A model could not answer.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum LlmError {
    /// The credentials are missing or refused.
    #[error("{provider} refuses the credentials: {detail}")]
    Unauthorized {
        /// Who.
        provider: String,
        /// What it said.
        detail: String,
    },
    /// The request itself is at fault; repeating it will not help.
    #[error("{provider} rejects the request: {detail}")]
    Rejected {
        /// Who.
        provider: String,
        /// What it said.
        detail: String,
    },
    /// It is too busy.
    #[error("{provider} asks to {}", come_back(.retry_after))]
    RateLimited {
        /// Who.
        provider: String,
        /// When to come back, when it said so.
        retry_after: Option<Duration>,
    },
    /// It did not answer in time.
    #[error("{provider} did not answer within {} s", .limit.as_secs())]
    Timeout {
        /// Who.
        provider: String,
        /// The bound.
        limit: Duration,
    },
    /// It cannot be reached, or failed.
    #[error("{provider} is unavailable: {detail}")]
    Unavailable {
        /// Who.
        provider: String,
        /// What happened.
        detail: String,
    },
    /// Nobody could answer.
    #[error("no model provider could answer: {}", .tried.join("; "))]
    Exhausted {
        /// What each one said.
        tried: Vec<String>,
        /// When to come back, when all that may answer then have said so.
        retry_after: Option<Duration>,
    },
    /// No such provider in the configuration.
    #[error("the model provider '{name}' is not configured (there are: {})", .known.join(", "))]
    UnknownProvider {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// It was not asked, since it has failed again and again or asked to be left alone.
    #[error("{provider} is left alone for {} s: {reason}", seconds(.wait))]
    Resting {
        /// Who.
        provider: String,
        /// What it said before.
        reason: String,
        /// For how long.
        wait: Duration,
    },
    /// It answered with something that is no answer, which says nothing of its health.
    #[error("{provider} gives no answer that can be used: {detail}")]
    Unusable {
        /// Who.
        provider: String,
        /// What it gave.
        detail: String,
    },
}

fn seconds(wait: &Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn come_back(retry_after: &Option<Duration>) -> String {
    retry_after.as_ref().map_or_else(|| "slow down".to_owned(), |wait| format!("come back in {} s", seconds(wait)))
}

impl LlmError {
    /// Whether the same request may succeed a little later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Timeout { .. }
            | Self::Unavailable { .. }
            | Self::Exhausted { .. }
            | Self::Resting { .. }
            | Self::Unusable { .. } => true,
            Self::Unauthorized { .. } | Self::Rejected { .. } | Self::UnknownProvider { .. } => false,
        }
    }

    /// When to come back, when that is known: until then the same request cannot succeed, and nothing is wrong with it.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Exhausted { retry_after, .. } => *retry_after,
            Self::Resting { wait, .. } => Some(*wait),
            Self::Timeout { .. }
            | Self::Unavailable { .. }
            | Self::Unusable { .. }
            | Self::Unauthorized { .. }
            | Self::Rejected { .. }
            | Self::UnknownProvider { .. } => None,
        }
    }
}

/// Takes the pieces of an answer as they come. Called on the task that polls the call: it must not block.
pub type TokenSink<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// A model that can be asked. Dropping the future cancels the call.
#[async_trait]
pub trait LlmPort: Send + Sync {
    /// The provider's configured name.
    fn name(&self) -> &str;

    /// Asks; the pieces of the answer go to `tokens` as they come, the whole is returned.
    async fn complete(&self, request: &ChatRequest, tokens: TokenSink<'_>) -> Result<Completion, LlmError>;
}

/// Whether a provider can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderHealth {
    /// It answers.
    Healthy,
    /// It does not, for now.
    Unhealthy,
    /// It has not been asked yet.
    Unknown,
}

/// A configured provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStatus {
    /// Its name.
    pub name: String,
    /// Its protocol, such as `openai`.
    pub kind: String,
    /// Where it answers; `None` for the embedded one.
    pub url: Option<String>,
    /// Its default model.
    pub model: String,
    /// Whether it runs on machines of our own.
    pub local: bool,
    /// Whether it can be asked.
    pub health: ProviderHealth,
    /// What is wrong, when something is.
    pub detail: Option<String>,
}

/// Chooses the model for an agent.
#[async_trait]
pub trait LlmRouterPort: Send + Sync {
    /// A handle that answers for `intelligence`: its provider, then its fallback, each with timeout, retries and a circuit
    /// breaker. Choosing happens at each call, so that a handle stays good when providers come and go.
    fn resolve(&self, intelligence: &Intelligence) -> Result<Arc<dyn LlmPort>, LlmError>;

    /// Reads the routing table anew.
    async fn reload(&self) -> Result<(), LlmError>;

    /// All configured providers.
    fn providers(&self) -> Vec<ProviderStatus>;
}

impl Port for dyn LlmRouterPort {
    const ID: PortId = PortId::LlmRouter;
}
