//! A completion as OpenAI's clients ask for it. What an agent decides itself (temperature, tools, …) is accepted and ignored.

use octopussy_core::ids::{AgentId, TraceId};
use octopussy_core::message::Priority;
use octopussy_core::ports::SubmitTask;
use octopussy_core::problem::{Code, Problem};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A completion as it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatCompletionRequest)]
pub(crate) struct CompletionRequest {
    /// The agent's name or id.
    pub(super) model: String,
    /// The conversation; the last message of the user is the task.
    #[schema(min_items = 1)]
    messages: Vec<ChatMessage>,
    /// Whether the answer comes in pieces.
    #[serde(default)]
    stream: Option<bool>,
    /// What a stream says beside the answer.
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    /// How many answers; only 1.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
}

/// What a stream says beside the answer.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct StreamOptions {
    /// Whether a last chunk tells the usage.
    #[serde(default)]
    include_usage: Option<bool>,
}

/// One message of the conversation.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChatMessage {
    role: ChatRole,
    #[serde(default)]
    content: Option<Content>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChatRole {
    /// Sets the frame.
    System,
    /// Sets the frame, in newer clients.
    Developer,
    /// Asks.
    User,
    /// Answers.
    Assistant,
    /// What a tool of the client said.
    Tool,
    /// The same, in older clients.
    Function,
}

/// What is said: a text, or parts of one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of what is said.
#[derive(Debug, Deserialize, ToSchema)]
struct Part {
    /// Only `text` is understood.
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
}

/// A completion, understood.
pub(super) struct Understood {
    pub(super) submit: SubmitTask,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

impl CompletionRequest {
    /// The task behind the conversation.
    pub(super) fn understand(
        self,
        agent: AgentId,
        key: Option<String>,
        trace: TraceId,
        within: Duration,
    ) -> Result<Understood, Problem> {
        if self.n.is_some_and(|n| n != 1) {
            return Err(Problem::new(Code::BadRequest, "'n' has to be 1: an agent gives one answer"));
        }
        let mut turns = Vec::with_capacity(self.messages.len());
        let mut constraints = Vec::new();
        for (index, message) in self.messages.into_iter().enumerate() {
            let text = text_of(index, message.content)?;
            match message.role {
                ChatRole::System | ChatRole::Developer if !text.trim().is_empty() => constraints.push(text),
                ChatRole::System | ChatRole::Developer => {}
                ChatRole::User | ChatRole::Assistant | ChatRole::Tool | ChatRole::Function => {
                    turns.push((message.role, text));
                }
            }
        }
        let last = turns
            .iter()
            .rposition(|(role, _)| *role == ChatRole::User)
            .ok_or_else(|| Problem::new(Code::BadRequest, "'messages' has no message with the role 'user'"))?;
        let (_, input) = turns.remove(last);
        let history = turns.into_iter().map(|(role, text)| (role.name().to_owned(), text)).collect();
        Ok(Understood {
            submit: SubmitTask {
                agent: Some(agent),
                input,
                history,
                constraints,
                documents: Vec::new(),
                priority: Priority::Normal,
                // Nobody waits for the answer after this.
                ttl: Some(within),
                max_attempts: None,
                idempotency_key: key,
                trace_id: Some(trace),
            },
            stream: self.stream.unwrap_or_default(),
            include_usage: self.stream_options.and_then(|options| options.include_usage).unwrap_or_default(),
        })
    }
}

impl ChatRole {
    const fn name(self) -> &'static str {
        match self {
            Self::System | Self::Developer => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            // The agents' models know three roles; what a tool said is material that the user brings.
            Self::Tool | Self::Function => "user",
        }
    }
}

fn text_of(index: usize, content: Option<Content>) -> Result<String, Problem> {
    match content {
        None => Ok(String::new()),
        Some(Content::Text(text)) => Ok(text),
        Some(Content::Parts(parts)) => {
            let mut whole = String::new();
            for part in parts {
                if part.kind != "text" {
                    let shown: String = part.kind.chars().take(32).collect();
                    let detail = format!("messages[{index}] has a part of type {shown:?}, only 'text' is understood");
                    return Err(Problem::new(Code::BadRequest, detail));
                }
                whole.push_str(part.text.as_deref().unwrap_or_default());
            }
            Ok(whole)
        }
    }
}
