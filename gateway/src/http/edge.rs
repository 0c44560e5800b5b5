//! What every request passes: a trace, a place among the requests in progress, a time limit, a net under panics, a measure.

use super::drain;
use super::failure::{self, Failure};
use crate::config::Limits;
use crate::serve::{Context, Reservation};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use octopussy_core::ids::TraceId;
use octopussy_core::ports::Metric;
use octopussy_core::problem::{Code, Problem};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument;
use uuid::Uuid;

/// Every route, as it appears in metrics: a closed set, so that clients cannot grow the number of time series.
pub(crate) const ROUTES: &[&str] = &[
    "/api/v1/tasks",
    "/api/v1/tasks/{id}",
    "/api/v1/tasks/{id}/cancel",
    "/api/v1/tasks/{id}/events",
    "/v1/chat/completions",
    "/v1/models",
    "/v1/models/{model}",
    "/api/v1/agents",
    "/api/v1/agents/validate",
    "/api/v1/agents/{id}",
    "/api/v1/agents/{id}/pause",
    "/api/v1/agents/{id}/resume",
    "/api/v1/agents/{id}/stop",
    "/api/v1/agents/{id}/events",
    "/api/v1/agents/{id}/versions",
    "/api/v1/agents/{id}/diff",
    "/api/v1/agents/{id}/reset-budget",
    "/api/v1/schemas/agent.json",
    "/api/v1/dlq",
    "/api/v1/dlq/{id}",
    "/api/v1/dlq/{id}/replay",
    "/api/v1/providers",
    "/api/v1/status",
    "/api/v1/cluster",
    "/api/v1/cluster/members",
    "/api/v1/cluster/members/{node}",
    "/api/v1/cluster/members/{node}/drain",
    "/api/v1/cluster/members/{node}/resume",
    "/api/v1/cluster/ring",
    "/api/v1/cluster/digests",
    "/api/v1/cluster/history",
    "/api/v1/cluster/tokens",
    "/api/v1/cluster/tokens/{id}",
    "/api/v1/cluster/rebalance",
    "/api/v1/cluster/recover",
    "/api/v1/cluster/rotate-keys",
    "/api/v1/cluster/rotate-ca",
    "/api/v1/tokens",
    "/api/v1/tokens/{id}",
    "/api/v1/secrets",
    "/api/v1/secrets/{*name}",
    "/api/v1/secrets-rotations",
    "/health",
    "/ready",
    "/metrics",
    "/openapi.json",
    "/ws",
];

/// What a guest answers. Everything else is for members: a guest has no keys of the cluster, and nobody's work or data
/// passes through it.
const OF_GUESTS: &[&str] = &["/api/v1/status", "/health", "/ready", "/metrics", "/openapi.json"];

/// The trace of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace(pub(crate) TraceId);

/// Lets a request pass.
pub(crate) async fn edge(State(context): State<Arc<Context>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let trace = trace_of(request.headers());
    let path = request.uri().path();
    let openai = path.starts_with("/v1/");
    let probe = matches!(path, "/health" | "/ready" | "/metrics");
    let closed = context.guest && !OF_GUESTS.contains(&path);
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| label(path.as_str()));
    request.extensions_mut().insert(Trace(trace));
    let reservation = Reservation::default();
    request.extensions_mut().insert(reservation.clone());
    let limit = if openai {
        Duration::from_secs(context.limits.completion_seconds) + Duration::from_secs(5)
    } else {
        Limits::REQUEST_TIMEOUT
    };
    // Probes have places of their own, so that they are answered also when the node is full: otherwise it would be
    // restarted for being busy.
    let admitted = match (closed, probe) {
        (true, _) => Err(guest_problem()),
        (false, true) => context.admit_probe(),
        (false, false) => context.admit(),
    };
    let response = match admitted {
        Err(problem) => Failure(problem).into_response(),
        Ok(place) => {
            let lent = drain::lend(&mut request);
            let span = tracing::info_span!("request", http.request.method = %request.method(), http.route = route, trace.id = %trace);
            let response = handle(request, next, limit).instrument(span).await;
            if let Some(lent) = lent {
                lent.drain(place);
            }
            response
        }
    };
    drop(reservation);
    let mut text = Uuid::encode_buffer();
    let text = &*trace.as_uuid().hyphenated().encode_lower(&mut text);
    let mut response = failure::write(response, openai, text);
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert("x-trace-id", value);
    }
    let observability = &context.observability;
    observability.count(Metric::HttpRequests, status_label(response.status().as_u16()), 1);
    observability.observe(Metric::HttpRequestSeconds, route, started.elapsed().as_secs_f64());
    response
}

fn guest_problem() -> Problem {
    Problem::new(Code::Forbidden, "this node is a guest of its cluster and serves nothing but its status")
        .hint("ask a full member; `octopussy cluster members` there lists them")
}

async fn handle(request: Request, next: Next, limit: Duration) -> Response {
    // A handler that panics has only its own request in its hands: everything shared is behind ports.
    match tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a request handler panicked");
            Failure(Problem::new(Code::Internal, "the request could not be handled: see the node's log"))
                .into_response()
        }
        Err(_) => {
            let detail = format!("the request did not finish within {} s", limit.as_secs());
            Failure(Problem::new(Code::Timeout, detail)).into_response()
        }
    }
}

/// The trace that a W3C `traceparent` names, or a new one.
fn trace_of(headers: &HeaderMap) -> TraceId {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(TraceId::from_traceparent);
    given.unwrap_or_else(|| TraceId::from_uuid(Uuid::now_v7()))
}

fn label(path: &str) -> &'static str {
    ROUTES.iter().find(|route| **route == path).copied().unwrap_or("other")
}

const fn status_label(status: u16) -> &'static str {
    match status {
        101 => "101",
        200 => "200",
        201 => "201",
        202 => "202",
        204 => "204",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        409 => "409",
        413 => "413",
        415 => "415",
        422 => "422",
        429 => "429",
        500 => "500",
        503 => "503",
        504 => "504",
        507 => "507",
        _ => "other",
    }
}
