//! Dead letters: tasks that were given up on.

use super::paging::PageQuery;
use super::tasks::{task_id, task_page, task_response};
use crate::http::{Caller, Failure, PageBody, PathText, QueryOf, TaskBody};
use crate::serve::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use octopussy_core::ids::TaskId;
use std::sync::Arc;

/// Lists dead letters, newest first.
#[utoipa::path(
    get, path = "/api/v1/dlq", tag = "dead letters", params(PageQuery),
    responses((status = 200, description = "A page of dead letters.", body = PageBody<TaskBody<'static>>))
)]
pub(super) async fn list(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Response, Failure> {
    let (after, limit) = query.parse::<TaskId>()?;
    let page = context.orchestrator.dead_letters(&principal, after, limit).await?;
    task_page(&page.items, page.more)
}

/// Tries a dead letter again, with its attempts renewed.
#[utoipa::path(
    post, path = "/api/v1/dlq/{id}/replay", tag = "dead letters",
    params(("id" = String, Path, description = "The task's id.")),
    responses((status = 202, description = "The task waits for its agent again.", body = TaskBody<'static>))
)]
pub(super) async fn replay(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Response, Failure> {
    let task = context.orchestrator.replay(&principal, task_id(&id)?).await?;
    task_response(StatusCode::ACCEPTED, &task, None)
}

/// Forgets a dead letter.
#[utoipa::path(
    delete, path = "/api/v1/dlq/{id}", tag = "dead letters",
    params(("id" = String, Path, description = "The task's id.")),
    responses((status = 204, description = "It is forgotten."))
)]
pub(super) async fn discard(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<StatusCode, Failure> {
    context.orchestrator.discard(&principal, task_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
