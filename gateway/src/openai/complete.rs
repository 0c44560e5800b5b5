//! Completions.

use super::request::{CompletionRequest, Understood};
use super::response::{Completion, completion, no_answer};
use super::stream;
use crate::http::{Caller, Failure, IdempotencyKey, JsonBody, SubmitTasks, Trace, agent_id, with_agent_name};
use crate::serve::Context;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use octopussy_core::agent::Pattern;
use octopussy_core::problem::{Code, Problem};
use std::sync::Arc;
use std::time::Duration;

/// The largest body: a long conversation, and what JSON adds.
const BODY: usize = 4 * 1024 * 1024;

/// Lets an agent answer a conversation.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", request_body = CompletionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repetitions harmless.")),
    responses((status = 200, description = "The answer; with `stream`, its pieces as server-sent events.", content(
        (Completion<'static> = "application/json"), (String = "text/event-stream"),
    )))
)]
pub(crate) async fn complete(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    Extension(Trace(trace)): Extension<Trace>,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(request, _): JsonBody<CompletionRequest, SubmitTasks, BODY>,
) -> Result<Response, Failure> {
    let model = request.model.clone();
    let named = |problem: Problem| with_agent_name(problem, &model);
    let agent = context.orchestrator.agent(&principal, agent_id(&model)).await.map_err(named)?;
    let within = Duration::from_secs(context.limits.completion_seconds);
    let Understood { submit, stream, include_usage } = request.understand(agent.record.id, key, trace, within)?;
    // Taken before the task is accepted: a stream that is refused must not leave a task behind.
    let place = if stream { Some(context.admit_stream()?) } else { None };
    let task = context.orchestrator.submit(&principal, submit).await.map_err(named)?.task;
    if let Some(place) = place {
        let live = agent.record.spec.reasoning.pattern == Pattern::Direct;
        return stream::respond(&context, &principal, task, model, stream::Wanted { live, include_usage }, place).await;
    }
    let task = if task.state.is_ended() {
        task
    } else {
        tokio::select! {
            ended = context.orchestrator.task(&principal, task.id, Some(within)) => ended?,
            () = context.stopping.cancelled() => {
                let detail = format!("the node is stopping; task {} goes on and can be asked for later", task.id);
                return Err(Problem::new(Code::NotReady, detail).retry_after(Duration::from_secs(1)).into());
            }
        }
    };
    match no_answer(&task) {
        Some(problem) => Err(problem.into()),
        None => Ok(Json(completion(&task, &model)).into_response()),
    }
}
