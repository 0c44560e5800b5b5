//! The REST API: what is where, and the description of it that is generated from the code.

mod agents;
mod cluster;
mod dead_letters;
mod describe;
mod events;
mod node;
mod paging;
mod secrets;
mod tasks;
mod tokens;
mod versions;

pub use describe::openapi_json;

use crate::http::{Failure, edge};
use crate::openai;
use crate::serve::Context;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use octopussy_core::problem::{Code, Problem};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The largest body of a task: its input, its history, and 8 MiB of documents with what JSON adds to them.
pub(crate) const TASK_BODY: usize = 20 * 1024 * 1024;
/// The largest body of an agent's directory: as much as one blob, and what JSON adds.
const AGENT_BODY: usize = 48 * 1024 * 1024;
/// The largest body of a secret: 64 KiB, and what JSON adds.
const SECRET_BODY: usize = 512 * 1024;

/// REST and the OpenAI-compatible API.
pub(crate) fn router(context: &Arc<Context>) -> Router {
    let (router, _) = described().split_for_parts();
    router.fallback(nothing_here).layer(from_fn_with_state(context.clone(), edge)).with_state(context.clone())
}

/// Metrics and health for this machine.
pub(crate) fn metrics_router(context: &Arc<Context>) -> Router {
    Router::new()
        .route("/metrics", get(node::metrics_here))
        .route("/health", get(node::health))
        .fallback(nothing_here)
        .layer(from_fn(node::own_name_only))
        .layer(from_fn_with_state(context.clone(), edge))
        .with_state(context.clone())
}

/// What every path that is not there answers.
pub(crate) async fn nothing_here() -> Failure {
    Failure(Problem::new(Code::NotFound, "there is nothing at this path").hint("/openapi.json lists the paths"))
}

/// Every route with its description.
fn described() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(tasks::submit, tasks::list))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::cancel))
        .routes(routes!(events::task_events))
        .routes(routes!(agents::create, agents::list))
        .routes(routes!(agents::validate))
        .routes(routes!(agents::get, versions::update, versions::delete))
        .routes(routes!(versions::versions))
        .routes(routes!(versions::diff, versions::diff_with))
        .routes(routes!(versions::reset_budget))
        .routes(routes!(agents::pause))
        .routes(routes!(agents::resume))
        .routes(routes!(agents::stop))
        .routes(routes!(events::agent_events))
        .routes(routes!(agents::schema))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::replay))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(node::providers))
        .routes(routes!(node::status))
        .routes(routes!(node::health))
        .routes(routes!(node::ready))
        .routes(routes!(node::metrics))
        .routes(routes!(cluster::show))
        .routes(routes!(cluster::members))
        .routes(routes!(cluster::ring))
        .routes(routes!(cluster::history))
        .routes(routes!(cluster::digests))
        .routes(routes!(cluster::create_token, cluster::tokens))
        .routes(routes!(cluster::revoke_token))
        .routes(routes!(cluster::drain))
        .routes(routes!(cluster::resume))
        .routes(routes!(cluster::remove))
        .routes(routes!(cluster::rebalance))
        .routes(routes!(cluster::recover))
        .routes(routes!(cluster::rotate_keys))
        .routes(routes!(cluster::rotate_ca))
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(secrets::names))
        .routes(routes!(secrets::set, secrets::delete))
        .routes(routes!(secrets::rotate))
        .routes(routes!(describe::openapi))
        .routes(routes!(openai::complete))
        .routes(routes!(openai::models))
        .routes(routes!(openai::model))
}
