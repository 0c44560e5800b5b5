//! The node: what it is made of, whether it works, its measurements.

use super::tasks::json;
use crate::http::{Caller, Failure, ProviderBody, StatusBody, provider_body, status_body};
use crate::serve::Context;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use octopussy_core::ports::Action;
use octopussy_core::problem::{Code, Problem};
use serde::Serialize;
use std::net::IpAddr;
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
        return Err(Action::Read.refused_to(&principal).into());
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

/// The node's measurements in the OpenMetrics text format. Without a token they are on the metrics port of this machine only.
#[utoipa::path(
    get, path = "/metrics", tag = "node",
    responses((status = 200, description = "The measurements.", body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    if !context.security.authorize(&principal, Action::Read) {
        return Err(Action::Read.refused_to(&principal).into());
    }
    Ok(rendered(&context))
}

/// The same for whoever is on this machine.
pub(super) async fn metrics_here(State(context): State<Arc<Context>>) -> Response {
    rendered(&context)
}

fn rendered(context: &Context) -> Response {
    let media_type = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, media_type)], context.observability.render()).into_response()
}

/// Lets pass what was asked of this machine by a name of its own. A page in somebody's browser whose name was made to lead
/// here (DNS rebinding) asks by that name.
pub(super) async fn own_name_only(request: Request, next: Next) -> Response {
    let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default().to_owned());
    let named = named.or_else(|| request.uri().authority().map(|authority| authority.as_str().to_owned()));
    if named.as_deref().is_none_or(is_own_name) {
        return next.run(request).await;
    }
    let problem = Problem::new(Code::Forbidden, "this port answers to the names of this machine only")
        .hint("ask for http://localhost or http://127.0.0.1");
    Failure(problem).into_response()
}

fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_own_name;

    #[test]
    fn only_names_of_this_machine_count() {
        for own in ["localhost", "LocalHost:9090", "127.0.0.1:9090", "127.8.9.1", "[::1]:9090", "[::1]"] {
            assert!(is_own_name(own), "{own}");
        }
        for other in
            ["evil.example:9090", "127.0.0.1.evil.example", "localhost.evil.example", "", "10.0.0.1", "[::2]:1"]
        {
            assert!(!is_own_name(other), "{other}");
        }
    }
}
