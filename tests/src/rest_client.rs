//! REST as a program of a user's would speak it, trusting nothing but what is in `credentials.json`.

use crate::sse::SseReader;
use anyhow::{Context, Result, ensure};
use reqwest::{Certificate, Client, Method, RequestBuilder};
use serde_json::Value;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

static PROVIDER: Once = Once::new();

/// Makes ring the cryptography of this process; harmless when repeated.
pub(crate) fn install_crypto() {
    PROVIDER.call_once(|| {
        // Somebody else in the process may have been first; it is the same provider then.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A client of one node with the credentials of its home.
#[derive(Debug, Clone)]
pub struct RestClient {
    http: Client,
    base: String,
    token: String,
}

/// What a node answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type, without parameters.
    pub content_type: String,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// `Location`.
    pub location: Option<String>,
    /// The body; a JSON string when it is not JSON, `null` when there is none.
    pub body: Value,
}

impl Answer {
    /// The body, when the status is `expected`.
    ///
    /// # Panics
    /// Otherwise, with the body.
    #[track_caller]
    pub fn expect_status(self, expected: u16) -> Value {
        assert_eq!(self.status, expected, "unexpected answer: {:#}", self.body);
        self.body
    }

    /// Checks that this is a problem document with the given status and code, and yields it.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "unexpected answer: {:#}", self.body);
        assert_eq!(self.content_type, "application/problem+json", "not a problem document: {:#}", self.body);
        assert_eq!(self.body["code"], code, "another problem: {:#}", self.body);
        assert!(self.body["detail"].as_str().is_some_and(|text| !text.is_empty()), "no detail: {:#}", self.body);
        self.body
    }
}

impl RestClient {
    /// A client with what `credentials.json` in `home` says.
    ///
    /// # Errors
    /// When the file is missing or does not hold what it should.
    pub fn from_home(home: &Path) -> Result<Self> {
        install_crypto();
        let path = home.join("credentials.json");
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let credentials: Value = serde_json::from_slice(&text)?;
        let field = |name: &str| {
            credentials[name].as_str().map(str::to_owned).with_context(|| format!("credentials.json has no {name}"))
        };
        let base = field("url")?.trim_end_matches('/').to_owned();
        let mut builder = Client::builder().timeout(Duration::from_secs(90)).no_proxy();
        if base.starts_with("https:") {
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(field("ca")?.as_bytes())?);
        }
        Ok(Self { http: builder.build()?, base, token: field("token")? })
    }

    /// The same node with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Where the node answers.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The bearer token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request to `path` with the token; none is sent when the token is empty.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let response = request.send().await?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let content_type = header("content-type").unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_owned();
        let (retry_after, location) = (header("retry-after").and_then(|v| v.parse().ok()), header("location"));
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok(Answer { status, content_type, retry_after, location, body })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Opens a stream of server-sent events, from the event after `last` where given.
    ///
    /// # Errors
    /// Those of the connection, or when the answer is not an event stream.
    pub async fn events(&self, path: &str, last: Option<&str>) -> Result<SseReader> {
        let mut request = self.request(Method::GET, path).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await?;
        ensure!(response.status().is_success(), "the event stream was refused: {}", response.status());
        Ok(SseReader::new(response))
    }
}
