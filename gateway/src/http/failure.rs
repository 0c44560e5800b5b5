//! How an error leaves: `application/problem+json` (RFC 9457), or OpenAI's shape below `/v1`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use octopussy_core::problem::{Code, Finding, Problem};
use serde::Serialize;
use std::time::Duration;

/// A problem on its way out. The response stays empty until the edge, which knows the trace and the path's shape, writes it.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

/// Marks a response whose body the edge has to write.
#[derive(Clone)]
struct Unwritten(Problem);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.0.code);
        response.extensions_mut().insert(Unwritten(self.0));
        response
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An error as it is shown outside.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// A URN that names the kind of error.
    #[serde(rename = "type")]
    #[schema(example = "urn:octopussy:error:OCTO-1203")]
    kind: String,
    /// A short, fixed summary.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened.
    #[schema(value_type = String)]
    detail: &'a str,
    /// The stable code; `docs/errors.md` describes each.
    #[schema(pattern = "^OCTO-[0-9]{4}$")]
    code: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
    /// Every single finding, where there are several.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FindingBody>, required = false)]
    findings: &'a [Finding],
    /// What ties this answer to the node's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

/// One thing wrong with a file.
#[derive(utoipa::ToSchema)]
#[schema(as = Finding)]
#[expect(dead_code, reason = "describes `Finding` of the core, which knows no OpenAPI")]
pub(crate) struct FindingBody {
    /// The file, relative to the agent's directory.
    file: String,
    /// The line, counted from 1.
    #[schema(required = true)]
    line: Option<u32>,
    /// What is wrong and what was expected.
    message: String,
    /// How to mend it.
    #[schema(required = true)]
    hint: Option<String>,
}

impl<'a> ProblemBody<'a> {
    /// The body for `problem`, which leaves with `status`.
    pub(crate) fn new(problem: &'a Problem, status: u16, trace_id: Option<&'a str>) -> Self {
        Self {
            kind: format!("urn:octopussy:error:{}", problem.code),
            title: problem.code.title(),
            status,
            detail: &problem.detail,
            code: problem.code.to_string(),
            hint: problem.hint.as_deref(),
            retry_after_seconds: problem.retry_after.map(whole_seconds),
            findings: &problem.findings,
            trace_id,
        }
    }
}

/// Rounded up: who comes back a little early is turned away again.
fn whole_seconds(after: Duration) -> u64 {
    after.as_secs() + u64::from(after.subsec_nanos() > 0)
}

/// Writes the body of a failed response; leaves every other response as it is.
pub(super) fn write(mut response: Response, openai: bool, trace_id: &str) -> Response {
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Unwritten>() {
        Some(Unwritten(problem)) => problem,
        None if status.is_client_error() || status.is_server_error() => of_status(status),
        None => return response,
    };
    let body = if openai {
        crate::openai::error_body(&problem)
    } else {
        serde_json::to_vec(&ProblemBody::new(&problem, status.as_u16(), Some(trace_id))).unwrap_or_default()
    };
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    let media_type = if openai { "application/json" } else { "application/problem+json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(after) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"octopussy\""));
    }
    *response.body_mut() = Body::from(body);
    response
}

/// The problem behind an answer of the framework.
fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Code::MethodNotAllowed, "the path does not take this method").hint("see the header Allow")
        }
        StatusCode::NOT_FOUND => Problem::new(Code::NotFound, "there is nothing at this path"),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::PayloadTooLarge, "the body is over the limit"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(Code::UnsupportedMediaType, "the media type is not supported")
        }
        status if status.is_client_error() => Problem::new(Code::BadRequest, "the request could not be read"),
        _ => Problem::new(Code::Internal, "the request could not be handled"),
    }
}
