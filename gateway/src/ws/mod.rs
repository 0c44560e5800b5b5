//! The WebSocket: submissions, watches and commands over one connection.

mod connection;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod outbox;
mod protocol;
mod upgrade;

use crate::http::edge;
use crate::rest::nothing_here;
use crate::serve::Context;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use std::sync::Arc;

/// The WebSocket's own port.
pub(crate) fn router(context: &Arc<Context>) -> Router {
    Router::new()
        .route("/ws", get(upgrade::upgrade))
        .fallback(nothing_here)
        .layer(from_fn_with_state(context.clone(), edge))
        .with_state(context.clone())
}
