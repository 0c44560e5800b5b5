//! Answers and errors in OpenAI's shape.

use crate::http::result_of;
use octopussy_core::agent::Usage;
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::{DeadLetterReason, TaskRecord, TaskState};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// A completion.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletion)]
pub(super) struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    #[schema(value_type = String)]
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: TokenUsage,
}

/// The one answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatChoice)]
pub(super) struct Choice<'a> {
    index: u32,
    message: Answer<'a>,
    finish_reason: &'static str,
    #[schema(value_type = Option<Object>, required = true)]
    logprobs: Option<()>,
}

/// What the agent says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatAnswer)]
pub(super) struct Answer<'a> {
    role: &'static str,
    #[schema(value_type = String)]
    content: Cow<'a, str>,
    #[schema(value_type = Option<String>, required = true)]
    refusal: Option<()>,
}

/// What it cost.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct TokenUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.tokens(),
        }
    }
}

/// The id of a completion: its task's.
pub(super) fn completion_id(task: &TaskRecord) -> String {
    format!("chatcmpl-{}", task.id)
}

/// The moment of a completion, in seconds.
pub(super) fn created(task: &TaskRecord) -> u64 {
    task.accepted_at.as_millis() / 1000
}

/// The completion behind a task that has succeeded.
pub(super) fn completion<'a>(task: &'a TaskRecord, model: &'a str) -> Completion<'a> {
    Completion {
        id: completion_id(task),
        object: "chat.completion",
        created: created(task),
        model,
        choices: [Choice {
            index: 0,
            message: Answer { role: "assistant", content: result_of(task).0.unwrap_or_default(), refusal: None },
            finish_reason: "stop",
            logprobs: None,
        }],
        usage: task.usage().into(),
    }
}

/// Why a task has no answer; `None` when it has one. A task that may succeed when it is asked again answers with a status on
/// which clients do so.
pub(super) fn no_answer(task: &TaskRecord) -> Option<Problem> {
    let error = task.error.as_deref().unwrap_or("the task has no answer");
    let about = |code: Code| Some(Problem::new(code, format!("task {}: {error}", task.id)));
    match (task.state, task.dead_letter) {
        (TaskState::Succeeded, _) => None,
        (TaskState::Accepted | TaskState::Running, _) | (_, Some(DeadLetterReason::Expired)) => Some(Problem::new(
            Code::Timeout,
            format!("task {} has not ended in time; it can still be asked for at /api/v1/tasks/{}", task.id, task.id),
        )),
        (TaskState::DeadLettered, Some(DeadLetterReason::AttemptsExhausted)) => about(Code::NoProvider),
        (TaskState::DeadLettered, Some(DeadLetterReason::AgentStopped)) => about(Code::AgentStopped),
        (TaskState::Failed | TaskState::Cancelled | TaskState::DeadLettered, _) => about(Code::Unprocessable),
    }
}

/// An error in OpenAI's shape.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiError)]
pub(crate) struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiErrorDetail)]
struct ErrorDetail<'a> {
    #[schema(value_type = String)]
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(value_type = Option<String>, required = true)]
    param: Option<&'static str>,
    code: String,
}

/// A problem in OpenAI's shape.
pub(crate) fn error_body(problem: &Problem) -> Vec<u8> {
    // Clients decide by the status; the names below are those that they know for it.
    let (kind, code) = match problem.code.status() {
        401 => ("invalid_request_error", "invalid_api_key".to_owned()),
        403 => ("permission_error", problem.code.to_string()),
        404 if problem.code == Code::UnknownAgent => ("invalid_request_error", "model_not_found".to_owned()),
        429 => ("rate_limit_error", "rate_limit_exceeded".to_owned()),
        500.. => ("server_error", problem.code.to_string()),
        _ => ("invalid_request_error", problem.code.to_string()),
    };
    let param = (problem.code == Code::UnknownAgent).then_some("model");
    let body = ErrorBody { error: ErrorDetail { message: &problem.detail, kind, param, code } };
    serde_json::to_vec(&body).unwrap_or_default()
}
