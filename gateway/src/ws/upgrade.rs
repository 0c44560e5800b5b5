//! From a request to a connection.

use super::connection::Connection;
use crate::config::Limits;
use crate::http::{Caller, Failure, authenticate};
use crate::serve::Context;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header;
use axum::response::Response;
use octopussy_core::ports::Principal;
use octopussy_core::problem::{Code, Problem};
use std::sync::Arc;

/// The protocol's name.
const PROTOCOL: &str = "octopussy.v1";
/// Marks the token among the offered protocols, for clients that cannot send headers.
const TOKEN_PROTOCOL: &str = "bearer.";

/// Opens a WebSocket for whoever has a token, in the header `Authorization` or among the protocols.
pub(super) async fn upgrade(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Failure> {
    let (mut parts, _) = request.into_parts();
    let principal = principal(&context, &mut parts).await?;
    let place = context.admit_stream()?;
    let upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection> =
        WebSocketUpgrade::from_request_parts(&mut parts, &context).await;
    let upgrade = upgrade.map_err(|rejection| {
        Problem::new(Code::BadRequest, format!("this is not a WebSocket request: {rejection}"))
            .hint("connect with a WebSocket client, over HTTP/1.1")
    })?;
    if context.stopping.is_cancelled() {
        return Err(Problem::new(Code::NotReady, "the node is stopping").into());
    }
    // Twice our own limit, so that an oversized message is answered with a close frame rather than a reset.
    let upgrade = upgrade.max_message_size(2 * Limits::WS_MESSAGE_BYTES).max_frame_size(2 * Limits::WS_MESSAGE_BYTES);
    let tracked = context.clone();
    Ok(upgrade.protocols([PROTOCOL]).on_upgrade(move |socket| {
        let sockets = tracked.sockets.clone();
        sockets.track_future(async move {
            Connection::new(tracked, principal).run(socket).await;
            drop(place);
        })
    }))
}

async fn principal(context: &Arc<Context>, parts: &mut axum::http::request::Parts) -> Result<Principal, Failure> {
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return Caller::from_request_parts(parts, context).await.map(|Caller(principal)| principal);
    }
    Ok(authenticate(context, protocol_token(&parts.headers))?)
}

fn protocol_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PROTOCOL))
}
