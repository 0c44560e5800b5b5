//! Secrets: their names, never their values.

use super::SECRET_BODY;
use super::node::ItemsBody;
use super::tasks::json;
use crate::http::{Caller, Failure, JsonBody, PathText};
use crate::serve::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A secret's value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretValue)]
pub(super) struct ValueBody {
    /// The value; at most 64 KiB.
    value: String,
}

/// Which secret is to be rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretRotation)]
pub(super) struct RotationBody {
    /// Its name.
    #[schema(pattern = "^[a-z0-9._/-]{1,128}$")]
    name: String,
}

/// Lists the names of the secrets.
#[utoipa::path(
    get, path = "/api/v1/secrets", tag = "secrets",
    responses((status = 200, description = "The names, sorted.", body = ItemsBody<String>))
)]
pub(super) async fn names(State(context): State<Arc<Context>>, Caller(principal): Caller) -> Result<Response, Failure> {
    let items = context.orchestrator.secret_names(&principal).await?;
    json(StatusCode::OK, &ItemsBody { items })
}

/// Sets a secret, or replaces it and announces the rotation.
#[utoipa::path(
    put, path = "/api/v1/secrets/{*name}", tag = "secrets", request_body = ValueBody,
    params(("name" = String, Path, description = "Its name, which may have slashes.")),
    responses((status = 204, description = "It is set."))
)]
pub(super) async fn set(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(name): PathText,
    JsonBody(body): JsonBody<ValueBody, SECRET_BODY>,
) -> Result<StatusCode, Failure> {
    context.orchestrator.set_secret(&principal, &name, body.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces a secret that the node generates itself, such as the message signing key.
#[utoipa::path(
    post, path = "/api/v1/secrets-rotations", tag = "secrets", request_body = RotationBody,
    responses((status = 204, description = "It is rotated."))
)]
pub(super) async fn rotate(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    JsonBody(body): JsonBody<RotationBody, SECRET_BODY>,
) -> Result<StatusCode, Failure> {
    context.orchestrator.rotate_secret(&principal, &body.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
