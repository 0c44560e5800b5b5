//! The messages of the WebSocket, as JSON text frames.

use crate::http::{At, Item, ProblemBody, TaskRequest, agent_body, task_body};
use axum::extract::ws::Utf8Bytes;
use octopussy_core::ports::AgentView;
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::TaskRecord;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The longest `ref`, in bytes: it is repeated with every event of a watch.
const MAX_REF: usize = 128;

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ClientMessage {
    /// Here is a task.
    Submit {
        /// The client's own name for this request.
        r#ref: String,
        /// The task.
        task: Box<TaskRequest>,
    },
    /// Tell me of this.
    Watch {
        /// The client's own name for the watch.
        r#ref: String,
        /// What kind.
        topic: TopicName,
        /// Which one.
        #[serde(default)]
        id: Option<String>,
        /// The last event that was received.
        #[serde(default)]
        after: Option<String>,
    },
    /// No more of that.
    Unwatch {
        /// The watch.
        r#ref: String,
    },
    /// Do this.
    Control {
        /// The client's own name for this request.
        r#ref: String,
        /// To whom, by name or id.
        agent: String,
        /// What.
        command: CommandName,
        /// Which task, for `cancel`.
        #[serde(default)]
        task: Option<String>,
    },
    /// Are you there?
    Ping {
        /// Comes back with the answer.
        #[serde(default)]
        r#ref: Option<String>,
    },
}

/// What can be watched.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TopicName {
    /// A task.
    Task,
    /// An agent.
    Agent,
    /// Everything but tokens and steps.
    All,
}

/// What an agent can be told.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CommandName {
    /// Take no more work.
    Pause,
    /// Take work again.
    Resume,
    /// End.
    Stop,
    /// End one task.
    Cancel,
}

/// Reads a client's message.
pub(super) fn parse(text: &str) -> Result<ClientMessage, (Option<String>, Problem)> {
    serde_json::from_str::<ClientMessage>(text).map_err(|error| {
        #[derive(Deserialize)]
        struct OnlyRef {
            r#ref: Option<String>,
        }
        // So that the client knows which of its messages was wrong, where it says so at all.
        let name = serde_json::from_str::<OnlyRef>(text).ok().and_then(|only| only.r#ref).filter(|name| is_ref(name));
        let problem = Problem::new(Code::BadRequest, format!("the message does not parse: {error}")).hint(
            "send {\"op\":\"submit\"|\"watch\"|\"unwatch\"|\"control\"|\"ping\",...}; docs/api.md describes each",
        );
        (name, problem)
    })
}

/// Whether a client may call something that.
pub(super) fn is_ref(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_REF
}

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum ServerMessage<'a> {
    Accepted {
        r#ref: &'a str,
        task: crate::http::TaskBody<'a>,
    },
    Watching {
        r#ref: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<crate::http::TaskBody<'a>>,
    },
    Event {
        r#ref: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        event: &'a str,
        agent_id: Option<Uuid>,
        task_id: Option<Uuid>,
        at: At,
        data: &'a RawValue,
    },
    Done {
        r#ref: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<crate::http::AgentBody<'a>>,
    },
    Error {
        r#ref: Option<&'a str>,
        problem: ProblemBody<'a>,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<&'a str>,
    },
}

fn text(message: &ServerMessage<'_>) -> Utf8Bytes {
    serde_json::to_string(message).unwrap_or_default().into()
}

/// The task is durable.
pub(super) fn accepted(name: &str, task: &TaskRecord, created: bool) -> Utf8Bytes {
    let mut body = task_body(task);
    body.created = Some(created);
    text(&ServerMessage::Accepted { r#ref: name, task: body })
}

/// The watch has begun.
pub(super) fn watching(name: &str, task: Option<&TaskRecord>) -> Utf8Bytes {
    text(&ServerMessage::Watching { r#ref: name, task: task.map(task_body) })
}

/// News of a watch.
pub(super) fn event(name: &str, item: &Item) -> Utf8Bytes {
    let Ok(data) = serde_json::from_str::<&RawValue>(&item.data) else { return Utf8Bytes::default() };
    text(&ServerMessage::Event {
        r#ref: name,
        id: item.id.map(|id| id.to_string()),
        event: item.event,
        agent_id: item.agent.map(|agent| *agent.as_uuid()),
        task_id: item.task.map(|task| *task.as_uuid()),
        at: At(item.at),
        data,
    })
}

/// It is done.
pub(super) fn done(name: &str, agent: Option<&AgentView>) -> Utf8Bytes {
    text(&ServerMessage::Done { r#ref: name, agent: agent.map(agent_body) })
}

/// It is not.
pub(super) fn error(name: Option<&str>, problem: &Problem) -> Utf8Bytes {
    text(&ServerMessage::Error { r#ref: name, problem: ProblemBody::new(problem, problem.code.status(), None) })
}

/// I am here.
pub(super) fn pong(name: Option<&str>) -> Utf8Bytes {
    text(&ServerMessage::Pong { r#ref: name })
}
