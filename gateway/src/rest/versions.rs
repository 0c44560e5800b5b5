//! Agents that change and go: updates, their history, deletion.

use super::AGENT_BODY;
use super::agents::BundleBody;
use super::tasks::json;
use crate::http::{
    AgentBody, At, Caller, Failure, JsonBody, ManageAgents, PageBody, PathText, QueryOf, Read, agent_body, agent_id,
    with_agent_name,
};
use crate::serve::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use octopussy_core::ports::AgentChange;
use octopussy_core::problem::Problem;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A version of an agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentVersion)]
pub(super) struct VersionBody<'a> {
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    at: At,
    /// Who brought it.
    by: &'a str,
    /// The SHA-256 of what it says.
    digest: String,
    /// The names of its documents.
    documents: Vec<&'a str>,
}

/// A difference between two versions of an agent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentChange)]
pub(super) struct ChangeBody {
    /// The file of the agent's directory.
    file: String,
    /// The key in it; null where the file as a whole is meant.
    #[schema(required = true)]
    key: Option<String>,
    /// What was there; null when nothing was. Of a document its size and digest.
    #[schema(required = true)]
    before: Option<String>,
    /// What is there; null when nothing is.
    #[schema(required = true)]
    after: Option<String>,
}

impl From<AgentChange> for ChangeBody {
    fn from(change: AgentChange) -> Self {
        let AgentChange { file, key, before, after } = change;
        Self { file, key, before, after }
    }
}

/// What leads from one state of an agent to another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentChanges)]
pub(super) struct ChangesBody {
    changes: Vec<ChangeBody>,
}

/// Which versions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The earlier version; by default the one before `to`.
    #[param(minimum = 1)]
    from: Option<u32>,
    /// The later version; by default the present one.
    #[param(minimum = 1)]
    to: Option<u32>,
}

/// Whether tasks that have not ended are in the way.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// Cancels the agent's tasks that have not ended. Without it they are a conflict.
    #[serde(default)]
    #[param(default = false)]
    force: bool,
}

/// What a deletion took with it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentDeleted)]
pub(super) struct DeletedBody {
    /// How many tasks were cancelled for it.
    cancelled: u64,
}

/// Gives an agent another version, from its directory. Tasks that run end on the version they have begun with.
#[utoipa::path(
    put, path = "/api/v1/agents/{id}", tag = "agents", request_body = BundleBody,
    params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The agent as it is now; its version is the same when nothing was different.",
        body = AgentBody<'static>))
)]
pub(super) async fn update(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
    JsonBody(bundle, _): JsonBody<BundleBody, ManageAgents, AGENT_BODY>,
) -> Result<Response, Failure> {
    let named = |problem: Problem| with_agent_name(problem, &id);
    let agent = context.orchestrator.update_agent(&principal, agent_id(&id), bundle.into()).await.map_err(named)?;
    json(StatusCode::OK, &agent_body(&agent))
}

/// Deletes an agent. Its name is free then; its ended tasks can be read until their time is over.
#[utoipa::path(
    delete, path = "/api/v1/agents/{id}", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id."), DeleteQuery),
    responses((status = 200, description = "It is deleted.", body = DeletedBody))
)]
pub(super) async fn delete(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
    QueryOf(query): QueryOf<DeleteQuery>,
) -> Result<Response, Failure> {
    let named = |problem: Problem| with_agent_name(problem, &id);
    let cancelled = context.orchestrator.delete_agent(&principal, agent_id(&id), query.force).await.map_err(named)?;
    json(StatusCode::OK, &DeletedBody { cancelled })
}

/// Lists the versions of an agent that are remembered, newest first.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/versions", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The versions.", body = PageBody<VersionBody<'static>>))
)]
pub(super) async fn versions(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Response, Failure> {
    let named = |problem: Problem| with_agent_name(problem, &id);
    let agent = context.orchestrator.agent(&principal, agent_id(&id)).await.map_err(named)?;
    let versions = agent.record.versions.iter().rev().map(|version| VersionBody {
        version: version.number,
        at: At(version.at),
        by: &version.by,
        digest: version.content.to_string(),
        documents: version.documents.iter().map(|document| &*document.name).collect(),
    });
    json(StatusCode::OK, &PageBody { items: versions.collect(), next: None })
}

/// Tells what leads from one version of an agent to another.
#[utoipa::path(
    get, path = "/api/v1/agents/{id}/diff", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id."), DiffQuery),
    responses((status = 200, description = "The differences.", body = ChangesBody))
)]
pub(super) async fn diff(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
    QueryOf(query): QueryOf<DiffQuery>,
) -> Result<Response, Failure> {
    let named = |problem: Problem| with_agent_name(problem, &id);
    let present = context.orchestrator.agent(&principal, agent_id(&id)).await.map_err(named)?.record.version();
    let to = query.to.unwrap_or(present);
    let from = query.from.unwrap_or_else(|| to.saturating_sub(1).max(1));
    let changes = context.orchestrator.diff_agent(&principal, agent_id(&id), from, to).await.map_err(named)?;
    changes_body(changes)
}

/// Tells what a directory would change in an agent; changes nothing.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/diff", tag = "agents", request_body = BundleBody,
    params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The differences.", body = ChangesBody))
)]
pub(super) async fn diff_with(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
    JsonBody(bundle, _): JsonBody<BundleBody, Read, AGENT_BODY>,
) -> Result<Response, Failure> {
    let named = |problem: Problem| with_agent_name(problem, &id);
    let changes =
        context.orchestrator.diff_agent_with(&principal, agent_id(&id), bundle.into()).await.map_err(named)?;
    changes_body(changes)
}

/// Lets what an agent has spent count from zero.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/reset-budget", tag = "agents",
    params(("id" = String, Path, description = "The agent's name or id.")),
    responses((status = 200, description = "The agent after it.", body = AgentBody<'static>))
)]
pub(super) async fn reset_budget(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<Response, Failure> {
    let named = |problem: Problem| with_agent_name(problem, &id);
    let agent = context.orchestrator.reset_budget(&principal, agent_id(&id)).await.map_err(named)?;
    json(StatusCode::OK, &agent_body(&agent))
}

fn changes_body(changes: Vec<AgentChange>) -> Result<Response, Failure> {
    json(StatusCode::OK, &ChangesBody { changes: changes.into_iter().map(ChangeBody::from).collect() })
}
