//! The tokens with which clients speak to the interfaces.

use super::node::ItemsBody;
use super::tasks::json;
use crate::http::{ApiTokenBody, ApiTokenInfoBody, Caller, Failure, JsonBody, ManageTokens, PathText, RoleName};
use crate::serve::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use octopussy_core::ports::PrincipalRole;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// The largest body of a request for a token: three short fields.
const TOKEN_BODY: usize = 16 * 1024;
/// For how long a token is good unless the client says otherwise, in seconds: ninety days.
const DEFAULT_VALIDITY: u64 = 90 * 24 * 3600;

/// Which token is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiTokenRequest)]
pub(super) struct TokenRequest {
    /// What it allows.
    role: RoleName,
    /// Whose it is; absent: the role in small letters.
    #[schema(required = false, min_length = 1, max_length = 64)]
    name: Option<String>,
    /// For how long it is good; absent: ninety days.
    #[schema(required = false, minimum = 10, maximum = 31_622_400)]
    valid_for_seconds: Option<u64>,
}

/// Makes a token for a user or a program. For administrators.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenRequest,
    responses((status = 201, description = "The token; it is shown once.", body = ApiTokenBody))
)]
pub(super) async fn create(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    JsonBody(request, _): JsonBody<TokenRequest, ManageTokens, TOKEN_BODY>,
) -> Result<Response, Failure> {
    let role = PrincipalRole::from(request.role);
    let name = request.name.unwrap_or_else(|| role.name().to_ascii_lowercase());
    let valid_for = Duration::from_secs(request.valid_for_seconds.unwrap_or(DEFAULT_VALIDITY));
    let issued = context.orchestrator.create_token(&principal, &name, role, valid_for).await?;
    json(StatusCode::CREATED, &ApiTokenBody::new(issued, name, role))
}

/// Lists the tokens that are good, and those that would be had nobody revoked them, the newest first and without the tokens themselves. For
/// administrators.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens",
    responses((status = 200, description = "The tokens.", body = ItemsBody<ApiTokenInfoBody>))
)]
pub(super) async fn list(State(context): State<Arc<Context>>, Caller(principal): Caller) -> Result<Response, Failure> {
    let tokens = context.orchestrator.tokens(&principal)?;
    json(StatusCode::OK, &ItemsBody { items: tokens.into_iter().map(ApiTokenInfoBody::from).collect() })
}

/// Revokes a token: within a second no node accepts it, and streams and WebSockets that were opened with it end. For administrators.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "The token's id.")),
    responses((status = 204, description = "It is good no longer."))
)]
pub(super) async fn revoke(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<StatusCode, Failure> {
    context.orchestrator.revoke_token(&principal, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
