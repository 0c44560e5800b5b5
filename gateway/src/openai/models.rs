//! The agents as models.

use crate::http::{Caller, Failure, PathText, agent_id, with_agent_name};
use crate::serve::Context;
use axum::Json;
use axum::extract::State;
use octopussy_core::agent::Desired;
use octopussy_core::ids::AgentId;
use octopussy_core::ports::AgentView;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The most agents that are listed: clients of this API know no pages.
const MOST: usize = 5000;
/// The ledger's bound for a page.
const PAGE: usize = 500;

/// An agent as a model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

/// All agents as models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    object: &'static str,
    data: Vec<Model>,
}

fn as_model(agent: &AgentView) -> Model {
    let created = agent.record.created_at.as_millis() / 1000;
    Model { id: agent.record.spec.name.clone(), object: "model", created, owned_by: "octopussy" }
}

/// Lists the agents as models; stopped ones are left out.
#[utoipa::path(
    get, path = "/v1/models", tag = "openai", responses((status = 200, description = "The agents.", body = ModelList))
)]
pub(crate) async fn models(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Json<ModelList>, Failure> {
    let mut data = Vec::new();
    let mut after: Option<AgentId> = None;
    loop {
        let page = context.orchestrator.agents(&principal, after, PAGE).await?;
        after = page.items.last().map(|agent| agent.record.id);
        // A stopped agent answers nothing any more.
        let usable = page.items.iter().filter(|agent| agent.record.desired != Desired::Stopped);
        data.extend(usable.map(as_model));
        if !page.more || after.is_none() || data.len() >= MOST {
            return Ok(Json(ModelList { object: "list", data }));
        }
    }
}

/// Shows an agent as a model.
#[utoipa::path(
    get, path = "/v1/models/{model}", tag = "openai", params(("model" = String, Path, description = "The agent's name.")),
    responses((status = 200, description = "The agent.", body = Model))
)]
pub(crate) async fn model(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(name): PathText,
) -> Result<Json<Model>, Failure> {
    let agent = context
        .orchestrator
        .agent(&principal, agent_id(&name))
        .await
        .map_err(|problem| with_agent_name(problem, &name))?;
    Ok(Json(as_model(&agent)))
}
