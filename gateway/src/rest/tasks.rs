//! Tasks.

use super::{TASK_BODY, paging};
use crate::config::Limits;
use crate::http::{
    Caller, Failure, IdempotencyKey, JsonBody, PageBody, PathText, QueryOf, SubmitTasks, TaskBody, TaskRequest,
    TaskStateName, Trace, agent_id, parse_wait, task_body, with_agent_name,
};
use crate::serve::Context;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use octopussy_core::ids::TaskId;
use octopussy_core::ports::{Principal, TaskFilter, TaskQuery};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::TaskRecord;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::IntoParams;

/// For how long the request may be held.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// How long to wait for the task's end, at most 60 s: `30s`, `1500ms`, `1m`, or seconds.
    #[param(pattern = "^[0-9]{1,5}(ms|s|m)?$")]
    wait: Option<String>,
}

impl WaitQuery {
    fn parse(&self) -> Result<Option<Duration>, Problem> {
        self.wait.as_deref().map(|text| parse_wait(text, Limits::MAX_WAIT)).transpose()
    }
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Of this agent only, by name or id.
    agent: Option<String>,
    /// In this state only.
    #[param(inline)]
    state: Option<TaskStateName>,
    /// What the page before named as `next`.
    after: Option<String>,
    /// At most this many rows.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// Submits a task. Answered when the task is durable; with `wait`, when it has ended or the time is up.
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "tasks", request_body = TaskRequest,
    params(WaitQuery, ("Idempotency-Key" = Option<String>, Header, description = "Makes repetitions harmless.")),
    responses(
        (status = 200, description = "The task has ended within the time to wait.", body = TaskBody<'static>),
        (status = 202, description = "The task is accepted.", body = TaskBody<'static>,
            headers(("Location" = String, description = "Where the task is."))),
    )
)]
pub(super) async fn submit(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    Extension(Trace(trace)): Extension<Trace>,
    QueryOf(wait): QueryOf<WaitQuery>,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(request, _): JsonBody<TaskRequest, SubmitTasks, TASK_BODY>,
) -> Result<Response, Failure> {
    let wait = wait.parse()?;
    let named = request.agent.clone();
    let submitted = context
        .orchestrator
        .submit(&principal, request.into_submit(key, Some(trace)))
        .await
        .map_err(|problem| named.map_or(problem.clone(), |name| with_agent_name(problem, &name)))?;
    let task = match wait {
        Some(wait) if !submitted.task.state.is_ended() && !wait.is_zero() => {
            await_end(&context, &principal, submitted.task, wait).await?
        }
        Some(_) | None => submitted.task,
    };
    let status = if wait.is_some() && task.state.is_ended() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = task_response(status, &task, Some(submitted.created))?;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/tasks/{}", task.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Waits for the end of a task that is durable already: whatever happens meanwhile, its sender learns its id.
async fn await_end(
    context: &Context,
    principal: &Principal,
    task: Arc<TaskRecord>,
    wait: Duration,
) -> Result<Arc<TaskRecord>, Failure> {
    tokio::select! {
        ended = context.orchestrator.task(principal, task.id, Some(wait)) => match ended {
            Ok(ended) => Ok(ended),
            // Who may submit and not read, or whose shard has lost its leader, still gets what the submission answered.
            Err(_) => Ok(task),
        },
        () = context.stopping.cancelled() => Ok(task),
    }
}

/// Lists tasks, newest first.
#[utoipa::path(
    get, path = "/api/v1/tasks", tag = "tasks", params(ListQuery),
    responses((status = 200, description = "A page of tasks.", body = PageBody<TaskBody<'static>>))
)]
pub(super) async fn list(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Response, Failure> {
    let query = TaskQuery {
        agent: query.agent.as_deref().map(agent_id),
        filter: query.state.map_or(TaskFilter::All, |state| TaskFilter::State(state.into())),
        after: paging::after(query.after.as_deref())?,
        limit: paging::limit(query.limit)?,
    };
    let page = context.orchestrator.tasks(&principal, &query).await?;
    task_page(&page.items, page.more)
}

/// Shows a task; with `wait`, once it has ended or the time is up.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "tasks",
    params(("id" = String, Path, description = "The task's id."), WaitQuery),
    responses((status = 200, description = "The task.", body = TaskBody<'static>))
)]
pub(super) async fn get(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
    QueryOf(wait): QueryOf<WaitQuery>,
) -> Result<Response, Failure> {
    let id = task_id(&id)?;
    let task = match wait.parse()? {
        Some(wait) => tokio::select! {
            task = context.orchestrator.task(&principal, id, Some(wait)) => task?,
            () = context.stopping.cancelled() => context.orchestrator.task(&principal, id, None).await?,
        },
        None => context.orchestrator.task(&principal, id, None).await?,
    };
    task_response(StatusCode::OK, &task, None)
}

/// Asks for a task to end.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks", params(("id" = String, Path, description = "The task's id.")),
    responses((status = 200, description = "The task as it is now; a running one ends at its next step.",
        body = TaskBody<'static>))
)]
pub(super) async fn cancel(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Response, Failure> {
    let task = context.orchestrator.cancel(&principal, task_id(&id)?).await?;
    task_response(StatusCode::OK, &task, None)
}

/// A task id from a path.
pub(super) fn task_id(text: &str) -> Result<TaskId, Problem> {
    text.parse().map_err(|error: octopussy_core::ids::ParseIdError| Problem::new(Code::BadRequest, error.to_string()))
}

/// A task as an answer.
pub(super) fn task_response(status: StatusCode, task: &TaskRecord, created: Option<bool>) -> Result<Response, Failure> {
    let mut body = task_body(task);
    body.created = created;
    json(status, &body)
}

/// Tasks as an answer.
pub(super) fn task_page(tasks: &[Arc<TaskRecord>], more: bool) -> Result<Response, Failure> {
    let next = tasks.last().filter(|_| more).map(|task| task.id.to_string());
    json(StatusCode::OK, &PageBody { items: tasks.iter().map(|task| task_body(task)).collect(), next })
}

/// JSON as an answer.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, Failure> {
    let bytes = serde_json::to_vec(body).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    Ok((status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response())
}
