//! Agents.

use super::AGENT_BODY;
use super::paging::PageQuery;
use super::tasks::json;
use crate::http::{
    AgentBody, Caller, Failure, JsonBody, ManageAgents, PageBody, PathText, QueryOf, Read, agent_body, agent_id,
    with_agent_name,
};
use crate::serve::Context;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{AgentBundle, BundleFile, ControlCommand};
use octopussy_core::problem::{Finding, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// An agent's directory as it travels.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentBundle)]
pub(super) struct BundleBody {
    /// The files: `agent.yaml`, `persona.md`, `goal.md`, `permissions.md`, optionally `memory.md` and documents.
    files: Vec<FileBody>,
}

/// One file of an agent's directory.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentFile)]
pub(super) struct FileBody {
    /// Its path below the directory, with `/`.
    path: String,
    /// Its text.
    text: String,
}

impl From<BundleBody> for AgentBundle {
    fn from(body: BundleBody) -> Self {
        Self { files: body.files.into_iter().map(|file| BundleFile { path: file.path, text: file.text }).collect() }
    }
}

/// What a check of an agent's directory found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Validation)]
pub(super) struct ValidationBody {
    /// Whether an agent can be made of it.
    valid: bool,
    /// Everything that is wrong.
    #[schema(value_type = Vec<crate::rest::describe::FindingBody>)]
    findings: Vec<Finding>,
}

/// Creates an agent from its directory.
#[utoipa::path(
    post, path = "/api/v1/agents", tag = "agents", request_body = BundleBody,
    responses((status = 201, description = "The agent is created.", body = AgentBody<'static>,
        headers(("Location" = String, description = "Where the agent is."))))
)]
pub(super) async fn create(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    JsonBody(bundle, _): JsonBody<BundleBody, ManageAgents, AGENT_BODY>,
) -> Result<Response, Failure> {
    let agent = context.orchestrator.create_agent(&principal, bundle.into()).await?;
    let mut response = json(StatusCode::CREATED, &agent_body(&agent))?;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/agents/{}", agent.record.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Checks an agent's directory without creating anything.
#[utoipa::path(
    post, path = "/api/v1/agents/validate", tag = "agents", request_body = BundleBody,
    responses((status = 200, description = "What the check found.", body = ValidationBody))
)]
pub(super) async fn validate(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    JsonBody(bundle, _): JsonBody<BundleBody, Read, AGENT_BODY>,
) -> Result<Response, Failure> {
    let findings = context.orchestrator.validate_agent(&principal, bundle.into()).await?;
    json(StatusCode::OK, &ValidationBody { valid: findings.is_empty(), findings })
}

/// Lists agents.
#[utoipa::path(
    get, path = "/api/v1/agents", tag = "agents", params(PageQuery),
    responses((status = 200, description = "A page of agents.", body = PageBody<AgentBody<'static>>))
)]
pub(super) async fn list(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Response, Failure> {
    let (after, limit) = query.parse::<AgentId>()?;
    let page = context.orchestrator.agents(&principal, after, limit).await?;
    let next = page.items.last().filter(|_| page.more).map(|agent| agent.record.id.to_string());
    json(StatusCode::OK, &PageBody { items: page.items.iter().map(agent_body).collect(), next })
}

/// Shows an agent.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}", tag = "agents", params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The agent.", body = AgentBody<'static>))
)]
pub(super) async fn get(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Response, Failure> {
    let agent =
        context.orchestrator.agent(&principal, agent_id(&id)).await.map_err(|problem| with_agent_name(problem, &id))?;
    json(StatusCode::OK, &agent_body(&agent))
}

/// Lets an agent take no more work; what waits stays.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/pause", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The agent after the command.", body = AgentBody<'static>))
)]
pub(super) async fn pause(
    State(context): State<Arc<Context>>,
    caller: Caller,
    id: PathText,
) -> Result<Response, Failure> {
    control(&context, caller, id, ControlCommand::Pause).await
}

/// Lets an agent take work again.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/resume", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The agent after the command.", body = AgentBody<'static>))
)]
pub(super) async fn resume(
    State(context): State<Arc<Context>>,
    caller: Caller,
    id: PathText,
) -> Result<Response, Failure> {
    control(&context, caller, id, ControlCommand::Resume).await
}

/// Ends an agent; what waits is dead-lettered.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/stop", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The agent after the command.", body = AgentBody<'static>))
)]
pub(super) async fn stop(
    State(context): State<Arc<Context>>,
    caller: Caller,
    id: PathText,
) -> Result<Response, Failure> {
    control(&context, caller, id, ControlCommand::Stop).await
}

async fn control(
    context: &Context,
    Caller(principal): Caller,
    PathText(id): PathText,
    command: ControlCommand,
) -> Result<Response, Failure> {
    let named = |problem: Problem| with_agent_name(problem, &id);
    let agent = context.orchestrator.control(&principal, agent_id(&id), command).await.map_err(named)?;
    json(StatusCode::OK, &agent_body(&agent))
}

/// The JSON Schema of `agent.yaml`, for editors.
#[utoipa::path(
    get, path = "/api/v1/schemas/agent.json", tag = "agents", security(()),
    responses((status = 200, description = "The schema.", body = Object))
)]
pub(super) async fn schema(State(context): State<Arc<Context>>) -> Result<Response, Failure> {
    json(StatusCode::OK, &context.orchestrator.agent_schema())
}
