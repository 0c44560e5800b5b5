//! News as server-sent events.

use super::tasks::task_id;
use crate::http::{Caller, Failure, Feed, Item, ItemStream, PathText, agent_id, with_agent_name};
use crate::serve::Context;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use octopussy_core::ports::{EventId, Topic};
use octopussy_core::problem::{Code, Problem};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How often a silent stream says that it is there, so that proxies do not cut it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One event as it stands in the stream.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the fields of a server-sent event")]
pub(super) struct ServerEvent {
    /// Its kind: token, step, state, ended, agent, budget, gap, stopping, expired.
    event: String,
    /// What happened, as JSON.
    data: String,
    /// Its position, for `Last-Event-ID`; snapshots and notices have none.
    #[schema(required = false)]
    id: Option<String>,
}

/// Follows a task: first `state` with the task as it is, then its tokens, steps and states, until `ended`.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/events", tag = "tasks",
    params(("id" = String, Path, description = "The task's id."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was received.")),
    responses((status = 200, description = "The news.", body = ServerEvent, content_type = "text/event-stream"))
)]
pub(super) async fn task_events(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let place = context.admit_stream()?;
    let topic = Topic::Task(task_id(&id)?);
    let feed = Feed::subscribe(&context, &principal, topic, last_event(&headers)?).await?.with_snapshot().await?;
    Ok(stream(feed.into_stream(), place))
}

/// Follows an agent: first `agent` with the agent as it is, then its states and those of its tasks.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/events", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was received.")),
    responses((status = 200, description = "The news.", body = ServerEvent, content_type = "text/event-stream"))
)]
pub(super) async fn agent_events(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let place = context.admit_stream()?;
    let feed = Feed::subscribe(&context, &principal, Topic::Agent(agent_id(&id)), last_event(&headers)?).await?;
    let feed = feed.with_snapshot().await.map_err(|problem| with_agent_name(problem, &id))?;
    Ok(stream(feed.into_stream(), place))
}

fn last_event(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let text =
        value.to_str().map_err(|_| Problem::new(Code::BadRequest, "Last-Event-ID has characters outside ASCII"))?;
    text.parse().map(Some)
}

/// The stream holds its place until it ends or the client goes.
fn stream(items: ItemStream, place: tokio::sync::OwnedSemaphorePermit) -> Response {
    let events = items.map(move |item| {
        let _held = &place;
        Ok::<_, Infallible>(event(&item))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn event(item: &Item) -> Event {
    let event = Event::default().event(item.event).data(&item.data);
    match item.id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}
