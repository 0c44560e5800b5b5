//! The description of the API, generated from the routes and completed with what every route may answer.

pub(super) use crate::http::FindingBody;

use super::described;
use crate::http::{AgentStateName, Failure, ProblemBody, TaskStateName};
use crate::openai::ErrorBody;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use octopussy_core::problem::Code;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Schema};
use utoipa::openapi::{Object, Type};
use utoipa::{PartialSchema, ToSchema};

/// The name of the security scheme.
const BEARER: &str = "bearer";

/// The description of the API.
#[utoipa::path(
    get, path = "/openapi.json", tag = "node", security(()),
    responses((status = 200, description = "This document.", body = Object))
)]
pub(super) async fn openapi() -> Result<Response, Failure> {
    let media_type = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, media_type)], openapi_json()).into_response())
}

/// The description of the API as JSON, for `docs` and for clients that are generated.
#[must_use]
pub fn openapi_json() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| document().to_json().unwrap_or_default())
}

fn document() -> OpenApi {
    let (_, mut document) = described().split_for_parts();
    document.info = InfoBuilder::new()
        .title("Octopussy")
        .version("v1")
        .description(Some("Durable AI agents. Errors carry a stable code that `docs/errors.md` describes."))
        .build();
    let components = document.components.get_or_insert_default();
    let mut schemas = Vec::new();
    add::<ProblemBody<'static>>(&mut schemas);
    add::<FindingBody>(&mut schemas);
    add::<ErrorBody<'static>>(&mut schemas);
    add::<AgentStateName>(&mut schemas);
    add::<TaskStateName>(&mut schemas);
    components.schemas.extend(schemas);
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.security_schemes.insert(BEARER.to_owned(), RefOr::T(SecurityScheme::Http(scheme)));
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, mut item)| {
            complete(&path, &mut item);
            // OpenAPI has no wildcards: the name is one parameter, with its slashes escaped.
            (path.replace("{*", "{"), item)
        })
        .collect();
    document
}

/// Adds a schema with those it refers to.
fn add<T: ToSchema + PartialSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    T::schemas(schemas);
    schemas.push((T::name().into_owned(), T::schema()));
}

fn complete(path: &str, item: &mut PathItem) {
    let operations = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Delete, &mut item.delete),
    ];
    for (method, operation) in operations {
        let Some(operation) = operation else { continue };
        let open = operation.security.is_some();
        if !open {
            operation.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
        }
        for status in statuses(path, &method, open, operation) {
            let response = failure(path, status);
            operation.responses.responses.entry(status.to_string()).or_insert(RefOr::T(response));
        }
    }
}

/// What a route may answer beside its successes.
fn statuses(path: &str, method: &HttpMethod, open: bool, operation: &Operation) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([400, 405, 429, 500, 503, 504]);
    if !open {
        statuses.extend([401, 403]);
    }
    if path.contains('{') || path == "/api/v1/tasks" || path.starts_with("/v1/") || path.contains("secrets") {
        statuses.insert(404);
    }
    if operation.request_body.is_some() {
        statuses.extend([413, 415, 422]);
    }
    if !matches!(method, HttpMethod::Get) {
        statuses.extend([409, 507]);
    }
    if path.contains("secrets") {
        statuses.extend([413, 422]);
    }
    statuses
}

fn failure(path: &str, status: u16) -> utoipa::openapi::Response {
    let (schema, media_type) = if path.starts_with("/v1/") {
        (ErrorBody::name(), "application/json")
    } else {
        (ProblemBody::name(), "application/problem+json")
    };
    let codes: Vec<_> = Code::ALL.iter().filter(|code| code.status() == status).map(ToString::to_string).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let mut response = ResponseBuilder::new().description(codes.join(", ")).content(media_type, content);
    let text = || HeaderBuilder::new().schema(Some(Object::with_type(Type::String))).build();
    match status {
        401 => response = response.header("WWW-Authenticate", text()),
        405 => response = response.header("Allow", text()),
        _ => {}
    }
    response.build()
}
