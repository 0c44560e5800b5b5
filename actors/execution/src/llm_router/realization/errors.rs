//! What the wire says, as errors that agents understand.

use crate::llm_router::essence;
use octopussy_core::ports::LlmError;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use std::time::Duration;

/// The most of a provider's own words that are passed on, in bytes.
const DETAIL: usize = 300;

/// A failed call, in our words.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's enum: what it learns to say later is a failure, too"
)]
pub(super) fn from_genai(provider: &str, error: &genai::Error) -> LlmError {
    let name = || provider.to_owned();
    // A refusal that comes where a stream was expected is wrapped; unwrapped, it has its status and headers.
    if let genai::Error::WebStream { error: inner, .. } = error
        && let Some(inner) = inner.downcast_ref::<genai::Error>()
    {
        return from_genai(provider, inner);
    }
    if let Some(status) = error.status() {
        let body = match error {
            genai::Error::HttpError { body, .. } => body.as_str(),
            genai::Error::WebModelCall {
                webc_error: genai::webc::Error::ResponseFailedStatus { body, .. }, ..
            } => body,
            _ => "",
        };
        return from_status(provider, status, error.headers(), body);
    }
    let detail = short(&error.to_string());
    match error {
        genai::Error::ChatReqHasNoMessages { .. }
        | genai::Error::LastChatMessageIsNotUser { .. }
        | genai::Error::MessageRoleNotSupported { .. }
        | genai::Error::JsonModeWithoutInstruction
        | genai::Error::AdapterNotSupported { .. } => LlmError::Rejected { provider: name(), detail },
        genai::Error::RequiresApiKey { .. } | genai::Error::NoAuthData { .. } | genai::Error::NoAuthResolver { .. } => {
            LlmError::Unauthorized { provider: name(), detail: "no key is configured".to_owned() }
        }
        _ => LlmError::Unavailable { provider: name(), detail },
    }
}

/// An answer that is not a success.
pub(super) fn from_status(provider: &str, status: StatusCode, headers: Option<&HeaderMap>, body: &str) -> LlmError {
    let provider = provider.to_owned();
    let detail = if body.trim().is_empty() { status.to_string() } else { format!("{status}: {}", short(body)) };
    match status.as_u16() {
        401 | 403 => LlmError::Unauthorized { provider, detail },
        429 => LlmError::RateLimited { provider, retry_after: headers.and_then(retry_after) },
        408 | 500..=599 => LlmError::Unavailable { provider, detail },
        _ => LlmError::Rejected { provider, detail },
    }
}

/// `Retry-After`: seconds, fractions of them, or a date. A date is counted from the one that the answer bears, since the
/// provider's clock need not agree with ours.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::trim);
    essence::retry_after(text(RETRY_AFTER)?, text(DATE))
}

/// One line of at most [`DETAIL`] bytes.
pub(super) fn short(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > DETAIL {
        let mut end = DETAIL;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    line
}
