//! Secrets: their names, never their values.

use super::SECRET_BODY;
use super::node::ItemsBody;
use super::tasks::json;
use crate::http::{Caller, Failure, JsonBody, KeyRotationBody, ManageSecrets, PathText};
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
    /// Its name: one of the keys that nodes make themselves.
    #[schema(pattern = "^(message|jwt)\\.signing_key$")]
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
    JsonBody(body, _): JsonBody<ValueBody, ManageSecrets, SECRET_BODY>,
) -> Result<StatusCode, Failure> {
    context.orchestrator.set_secret(&principal, &name, body.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a secret from every node. The keys that nodes make are not removed.
#[utoipa::path(
    delete, path = "/api/v1/secrets/{*name}", tag = "secrets",
    params(("name" = String, Path, description = "Its name, which may have slashes.")),
    responses((status = 204, description = "It is gone."))
)]
pub(super) async fn delete(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(name): PathText,
) -> Result<StatusCode, Failure> {
    context.orchestrator.delete_secret(&principal, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to replace the keys in a secret that nodes make themselves. The new key signs once every member has it, and the one before
/// verifies for a while: messages for a week and an hour, tokens for a day.
#[utoipa::path(
    post, path = "/api/v1/secrets-rotations", tag = "secrets", request_body = RotationBody,
    responses((status = 202, description = "The new key is on its way.", body = KeyRotationBody))
)]
pub(super) async fn rotate(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    JsonBody(body, _): JsonBody<RotationBody, ManageSecrets, SECRET_BODY>,
) -> Result<Response, Failure> {
    let rotation = context.orchestrator.rotate_secret(&principal, &body.name).await?;
    json(StatusCode::ACCEPTED, &KeyRotationBody::from(rotation))
}
