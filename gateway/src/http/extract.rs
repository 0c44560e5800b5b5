//! Extractors whose rejections are problems.

use super::failure::Failure;
use crate::serve::Context;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use octopussy_core::ports::{AuthError, Principal};
use octopussy_core::problem::{Code, Problem};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Whoever sent the request, authenticated.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<Arc<Context>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, context: &Arc<Context>) -> Result<Self, Failure> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let caller = Self(authenticate(context, bearer(&parts.headers))?);
        // The body's extractor asks again.
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// The principal behind a bearer token.
pub(crate) fn authenticate(context: &Context, token: Option<&str>) -> Result<Principal, Problem> {
    let token = token.ok_or_else(|| token_problem(AuthError::Missing))?;
    context.security.authenticate(token).map_err(token_problem)
}

/// Why credentials do not count, as a problem.
fn token_problem(error: AuthError) -> Problem {
    let (code, hint) = match error {
        AuthError::Missing => (Code::Unauthenticated, "send the header 'Authorization: Bearer <token>'"),
        AuthError::Invalid => (Code::Unauthenticated, "the token of this node is in its credentials.json"),
        AuthError::Expired => {
            (Code::TokenExpired, "ask an administrator for another: `octopussy token create --role ROLE` makes one")
        }
        AuthError::Revoked => {
            (Code::TokenRevoked, "ask an administrator for another: `octopussy token create --role ROLE` makes one")
        }
    };
    Problem::new(code, error.to_string()).hint(hint)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The one parameter of a path, decoded.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(rejection) => {
                Err(Problem::new(Code::BadRequest, format!("the path does not parse: {rejection}")).into())
            }
        }
    }
}

/// The parameters of a query.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                Err(Problem::new(Code::BadRequest, format!("the query does not parse: {}", rejection.body_text()))
                    .into())
            }
        }
    }
}

/// The header `Idempotency-Key`.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(key) => Ok(Self(Some(key.to_owned()))),
            Err(_) => {
                Err(Problem::new(Code::BadRequest, "the header Idempotency-Key has characters outside ASCII").into())
            }
        }
    }
}

/// How long a request may be held: `30s`, `1500ms`, `1m` or seconds, at most `limit`.
pub(crate) fn parse_wait(text: &str, limit: Duration) -> Result<Duration, Problem> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let millis = number.parse::<u64>().ok().and_then(|number| match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        _ => None,
    });
    match millis.map(Duration::from_millis) {
        Some(wait) if wait <= limit => Ok(wait),
        Some(_) | None => Err(Problem::new(
            Code::BadRequest,
            format!("'wait' is {text:?}, expected a time up to {} s such as 30s", limit.as_secs()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_wait;
    use proptest::prelude::*;
    use std::time::Duration;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_wait_is_read_in_its_unit_and_bounded() {
        for (text, millis) in [("30s", 30_000), ("1500ms", 1500), ("1m", 60_000), ("7", 7000), ("0", 0)] {
            assert_eq!(parse_wait(text, LIMIT).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "s", "61s", "2m", "-1", "1.5s", "18446744073709551616", "18446744073709551615m", "3 s", "٣s"]
        {
            assert!(parse_wait(text, LIMIT).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_wait_longer(text in ".*") {
            if let Ok(wait) = parse_wait(&text, LIMIT) {
                prop_assert!(wait <= LIMIT);
            }
        }
    }
}
