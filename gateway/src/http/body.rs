//! JSON bodies: read for whoever may do what they ask for, within the bytes that all bodies may have together.

use super::extract::Caller;
use super::failure::Failure;
use crate::serve::{Context, Reservation};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use octopussy_core::ports::Action;
use octopussy_core::problem::{Code, Problem};
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;

/// How many times the limit of an oversized body is read and thrown away, so that the client gets to hear the answer.
const DRAINED: usize = 4;
/// Bodies up to this size are parsed where they are; larger ones beside the runtime's threads.
const PARSED_HERE: usize = 64 * 1024;

/// What a body asks for. Whoever may not do it is refused before a byte of the body is read.
pub(crate) trait Purpose {
    /// What the caller has to be allowed.
    const ACTION: Action;
}

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident => $action:expr;)+) => {
        $($(#[$doc])* pub(crate) struct $name;
        impl Purpose for $name {
            const ACTION: Action = $action;
        })+
    };
}

purposes! {
    /// Changes nothing.
    Read => Action::Read;
    /// Submits a task.
    SubmitTasks => Action::SubmitTask;
    /// Makes or controls an agent.
    ManageAgents => Action::ManageAgents;
    /// Sets or rotates a secret.
    ManageSecrets => Action::ManageSecrets;
    /// Changes the cluster.
    ManageCluster => Action::ManageCluster;
    /// Makes a token.
    ManageTokens => Action::ManageTokens;
}

/// A JSON body of at most `LIMIT` bytes, of a caller who is authenticated and may do `P`.
pub(crate) struct JsonBody<T, P, const LIMIT: usize>(pub(crate) T, pub(crate) PhantomData<P>);

impl<T, P, const LIMIT: usize> FromRequest<Arc<Context>> for JsonBody<T, P, LIMIT>
where
    T: DeserializeOwned + Send + 'static,
    P: Purpose,
{
    type Rejection = Failure;

    async fn from_request(request: Request, context: &Arc<Context>) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let Caller(principal) = Caller::from_request_parts(&mut parts, context).await?;
        if !context.security.authorize(&principal, P::ACTION) {
            return Err(P::ACTION.refused_to(&principal).into());
        }
        if !is_json(&parts.headers) {
            let detail = "the body has to be JSON";
            return Err(Problem::new(Code::UnsupportedMediaType, detail)
                .hint("send 'Content-Type: application/json'")
                .into());
        }
        let Some(reservation) = parts.extensions.get::<Reservation>().cloned() else {
            return Err(Problem::new(Code::Internal, "the request did not pass the edge").into());
        };
        let announced = announced(&parts.headers);
        let bytes = read::<LIMIT>(announced, body, context, &reservation).await?;
        let value = if bytes.len() <= PARSED_HERE { parse(&bytes) } else { parse_aside(bytes, context).await? };
        Ok(Self(value?, PhantomData))
    }
}

/// The size that the client announces; 0 when it does not.
pub(super) fn announced(headers: &HeaderMap) -> usize {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0)
}

async fn read<const LIMIT: usize>(
    announced: usize,
    body: axum::body::Body,
    context: &Context,
    reservation: &Reservation,
) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge, format!("the body has more than {LIMIT} bytes"));
    if announced > LIMIT.saturating_mul(DRAINED) {
        return Err(too_large());
    }
    // Memory is reserved for what has come and not for what was announced, so that announcing takes nothing from others.
    let mut bytes = Vec::new();
    let mut seen = 0_usize;
    let mut body = body.into_data_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Problem::new(Code::BadRequest, format!("the body broke off: {error}")))?;
        seen = seen.saturating_add(chunk.len());
        if seen > LIMIT.saturating_mul(DRAINED) {
            break;
        }
        if seen <= LIMIT {
            context.reserve(reservation, seen)?;
            bytes.extend_from_slice(&chunk);
        }
    }
    if seen > LIMIT { Err(too_large()) } else { Ok(bytes) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| match half_character(bytes) {
        Some(half) if error.is_syntax() => Problem::new(Code::BadRequest, format!("the body does not parse: {half}"))
            .hint("a text was cut in the middle of a character: cut it by characters, and check what is sent"),
        Some(_) | None => Problem::new(Code::BadRequest, format!("the body does not parse: {error}"))
            .hint("/openapi.json describes the body of every request"),
    })
}

async fn parse_aside<T>(bytes: Vec<u8>, context: &Context) -> Result<Result<T, Problem>, Problem>
where
    T: DeserializeOwned + Send + 'static,
{
    let failed = || Problem::new(Code::Internal, "the body could not be parsed: see the node's log");
    let place = context.parse_place().await.ok_or_else(failed)?;
    let parsed = tokio::task::spawn_blocking(move || {
        // Held by the work and not by whoever waits for it, who may be gone before it is done.
        let _place = place;
        parse(&bytes)
    });
    parsed.await.map_err(|_| failed())
}

/// The first escape of half a character: a surrogate without its other half.
fn half_character(json: &[u8]) -> Option<String> {
    let unit = |at: usize| -> Option<u16> {
        let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while at < json.len() {
        if json[at] != b'\\' {
            at += 1;
            continue;
        }
        let Some(code) = unit(at) else {
            at += 2;
            continue;
        };
        let paired =
            (0xd800..0xdc00).contains(&code) && unit(at + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low));
        if (0xd800..0xe000).contains(&code) && !paired {
            let before = &json[..at];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = at - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1) + 1;
            return Some(format!("half a character (\\u{code:04x}) at line {line} column {column}"));
        }
        at += if paired { 12 } else { 6 };
    }
    None
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = given.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    kind.eq_ignore_ascii_case("application")
        && (subtype.eq_ignore_ascii_case("json") || subtype.to_ascii_lowercase().ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::{half_character, parse};
    use proptest::prelude::*;

    #[test]
    fn half_a_character_is_named_with_its_place() {
        let half = |json: &str| half_character(json.as_bytes());
        assert_eq!(half(r#"{"a":"x \ud83d"}"#).unwrap(), r"half a character (\ud83d) at line 1 column 9");
        assert_eq!(half("{\n \"a\":\"\\ude00\"}").unwrap(), r"half a character (\ude00) at line 2 column 7");
        assert!(half(r#"{"a":"\ud83d\ud83d\ude00"}"#).unwrap().contains("column 7"));
        for whole in [r#"{"a":"\ud83d\ude00"}"#, r#"{"a":"\\ud83d"}"#, r#"{"a":"\u0000"}"#, "{\"a\":\"\u{2028}\"}", ""]
        {
            assert_eq!(half(whole), None, "{whole}");
        }
        let refused = parse::<serde_json::Value>(br#"{"a":"x \ud83d"}"#).unwrap_err();
        assert!(refused.detail.contains("half a character"), "{}", refused.detail);
        assert!(parse::<serde_json::Value>(b"{").unwrap_err().detail.contains("EOF"));
    }

    proptest! {
        #[test]
        fn whatever_serde_takes_has_no_half_character(text in ".*") {
            let json = serde_json::to_vec(&text).unwrap();
            prop_assert_eq!(half_character(&json), None);
        }

        #[test]
        fn no_bytes_make_the_search_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            half_character(&bytes);
        }
    }
}
