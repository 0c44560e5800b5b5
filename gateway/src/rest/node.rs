//! The node: what it is made of, whether it works, its measurements.

use super::tasks::json;
use crate::http::{Caller, Failure, ProviderBody, StatusBody, provider_body, status_body};
use crate::serve::Context;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use octopussy_core::ports::Action;
use octopussy_core::problem::{Code, Problem};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// All there is of something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Items)]
pub(super) struct ItemsBody<T> {
    /// The rows.
    pub(super) items: Vec<T>,
}

/// Whether something works.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthBody {
    /// `ok`, always: a node that is not does not answer.
    status: &'static str,
}

/// Lists the configured model providers.
#[utoipa::path(
    get, path = "/api/v1/providers", tag = "node",
    responses((status = 200, description = "The providers.", body = ItemsBody<ProviderBody>))
)]
pub(super) async fn providers(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    let providers = context.orchestrator.providers(&principal)?;
    json(StatusCode::OK, &ItemsBody { items: providers.into_iter().map(provider_body).collect() })
}

/// Shows the node and its capabilities.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "node",
    responses((status = 200, description = "The node.", body = StatusBody))
)]
pub(super) async fn status(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    if !context.security.authorize(&principal, Action::Read) {
        return Err(Problem::new(Code::Forbidden, format!("'{}' may not look at the node", principal.name)).into());
    }
    json(StatusCode::OK, &status_body(context.orchestrator.status().await))
}

/// Whether the process is alive.
#[utoipa::path(
    get, path = "/health", tag = "node", security(()),
    responses((status = 200, description = "It is.", body = HealthBody))
)]
pub(super) async fn health() -> Result<Response, Failure> {
    json(StatusCode::OK, &HealthBody { status: "ok" })
}

/// Whether the node takes work.
#[utoipa::path(
    get, path = "/ready", tag = "node", security(()),
    responses((status = 200, description = "It does.", body = HealthBody))
)]
pub(super) async fn ready(State(context): State<Arc<Context>>) -> Result<Response, Failure> {
    if context.stopping.is_cancelled() {
        return Err(Problem::new(Code::NotReady, "the node is stopping").into());
    }
    context.orchestrator.ready()?;
    json(StatusCode::OK, &HealthBody { status: "ok" })
}

/// The node's measurements in the OpenMetrics text format.
#[utoipa::path(
    get, path = "/metrics", tag = "node", security(()),
    responses((status = 200, description = "The measurements.", body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(State(context): State<Arc<Context>>) -> Response {
    let media_type = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, media_type)], context.observability.render()).into_response()
}
