//! An answer in pieces.

use super::response::{TokenUsage, completion_id, created, error_body, no_answer};
use crate::http::{Failure, result_of};
use crate::serve::Context;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use octopussy_core::ports::{EventKind, Principal, Subscription, Topic};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::{TaskRecord, TaskState};
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

/// How often a silent stream says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How the answer is wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Whether the tokens of the agent's model calls are its answer. A reflecting or planning agent thinks in tokens, too;
    /// of those, only the completed answer is sent.
    pub(super) live: bool,
    /// Whether a last chunk tells the usage.
    pub(super) include_usage: bool,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [ChunkChoice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<TokenUsage>>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

struct Answering {
    context: Arc<Context>,
    principal: Principal,
    news: Subscription,
    task: Arc<TaskRecord>,
    id: String,
    model: String,
    wanted: Wanted,
    /// What has been sent of the answer.
    said: String,
    pending: VecDeque<String>,
    deadline: Pin<Box<Sleep>>,
    done: bool,
    _place: OwnedSemaphorePermit,
}

/// Streams the answer to `task`.
pub(super) async fn respond(
    context: &Arc<Context>,
    principal: &Principal,
    task: Arc<TaskRecord>,
    model: String,
    wanted: Wanted,
    place: OwnedSemaphorePermit,
) -> Result<Response, Failure> {
    let news = context.orchestrator.watch(principal, Topic::Task(task.id), None).await?;
    // What was said before the subscription is not to be had: then the answer is sent as a whole.
    let now = context.orchestrator.task(principal, task.id, None).await?;
    let live = wanted.live && now.state == TaskState::Accepted;
    let mut answering = Answering {
        context: context.clone(),
        principal: principal.clone(),
        news,
        id: completion_id(&task),
        task: now.clone(),
        model,
        wanted: Wanted { live, ..wanted },
        said: String::new(),
        pending: VecDeque::new(),
        deadline: Box::pin(tokio::time::sleep(Duration::from_secs(context.limits.completion_seconds))),
        done: false,
        _place: place,
    };
    answering.chunk(Delta { role: Some("assistant"), content: Some("") }, None);
    if now.state.is_ended() {
        answering.end(&now);
    }
    let events = stream::unfold(answering, |mut answering| async move {
        answering.next().await.map(|data| (Ok::<_, Infallible>(Event::default().data(data)), answering))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

impl Answering {
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(data) = self.pending.pop_front() {
                return Some(data);
            }
            if self.done {
                return None;
            }
            tokio::select! {
                biased;
                () = self.context.stopping.cancelled() => {
                    self.fail(&Problem::new(Code::NotReady, "the node is stopping; the task goes on"));
                }
                () = self.deadline.as_mut() => self.fail(&Problem::new(Code::Timeout, "the task has not ended in time")),
                event = self.news.next() => match event.map(|event| event.kind) {
                    Some(EventKind::Token { text, .. }) if self.wanted.live => self.say(&text),
                    Some(EventKind::Ended(task)) => self.end(&task),
                    Some(EventKind::Gap) => self.after_gap().await,
                    Some(EventKind::Token { .. } | EventKind::Step(_) | EventKind::Task(_) | EventKind::Agent(_)
                        | EventKind::BudgetExhausted(_) | EventKind::Heartbeat(_) | EventKind::Passivated) => {}
                    None => self.fail(&Problem::new(Code::NotReady, "the node is stopping; the task goes on")),
                },
            }
        }
    }

    /// Tokens are missing: nothing more is sent before the whole is known.
    async fn after_gap(&mut self) {
        self.wanted.live = false;
        match self.context.orchestrator.task(&self.principal, self.task.id, None).await {
            Ok(task) if task.state.is_ended() => self.end(&task),
            Ok(_) => {}
            Err(problem) => self.fail(&problem),
        }
    }

    fn say(&mut self, text: &str) {
        self.said.push_str(text);
        self.chunk(Delta { role: None, content: Some(text) }, None);
    }

    /// Sends what is still missing of the answer. Where an earlier attempt or a guardrail made what was sent differ from
    /// the answer, the answer follows as a whole: it is what counts.
    fn end(&mut self, task: &TaskRecord) {
        if let Some(problem) = no_answer(task) {
            return self.fail(&problem);
        }
        let (result, _) = result_of(task);
        let answer = result.unwrap_or_default();
        if let Some(rest) = answer.strip_prefix(self.said.as_str()) {
            if !rest.is_empty() {
                self.chunk(Delta { role: None, content: Some(rest) }, None);
            }
        } else if answer.trim() != self.said.trim() {
            self.chunk(Delta { role: None, content: Some(&format!("\n\n{answer}")) }, None);
        }
        self.chunk(Delta::default(), Some("stop"));
        if self.wanted.include_usage {
            self.push(&[], Some(Some(task.usage().into())));
        }
        self.finish();
    }

    fn fail(&mut self, problem: &Problem) {
        self.pending.push_back(String::from_utf8(error_body(problem)).unwrap_or_default());
        self.finish();
    }

    fn finish(&mut self) {
        self.pending.push_back("[DONE]".to_owned());
        self.done = true;
    }

    fn chunk(&mut self, delta: Delta<'_>, finish_reason: Option<&'static str>) {
        let usage = self.wanted.include_usage.then_some(None);
        self.push(&[ChunkChoice { index: 0, delta, finish_reason }], usage);
    }

    fn push(&mut self, choices: &[ChunkChoice<'_>], usage: Option<Option<TokenUsage>>) {
        let created = created(&self.task);
        let chunk =
            Chunk { id: &self.id, object: "chat.completion.chunk", created, model: &self.model, choices, usage };
        self.pending.push_back(serde_json::to_string(&chunk).unwrap_or_default());
    }
}
