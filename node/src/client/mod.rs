//! The REST client of the command line: it trusts exactly one authority, bounds every wait, and tells errors so that one
//! knows what to do.

mod credentials;
mod error;
mod nodes;
mod pin;
mod problem;
mod retry;
mod sse;
mod types;

#[cfg(test)]
mod tests;

pub(crate) use credentials::Credentials;
pub(crate) use error::ClientError;
pub(crate) use retry::{Backoff, with_retries};
pub(crate) use sse::{EventStream, ServerEvent};
pub(crate) use types::{
    Agent, ApiTokenInfo, Cluster, JoinTokenInfo, Member, MemberChange, Page, Provider, Recovered, Shard, Status, Step,
    Task,
};

use crate::home::Home;
use nodes::{Node, Nodes};
use parking_lot::Mutex;
use reqwest::Method;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a connection may take to be made: the node is near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a request may take that does not wait for anything.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one of several nodes may take beyond what it is asked to wait, before the next one is tried.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a command lets itself be delayed by asking for the list of nodes.
const LEARN_TIMEOUT: Duration = Duration::from_secs(1);
/// Where the members of the cluster are listed.
const MEMBERS: &str = "/api/v1/cluster/members";
/// How long a stream of events may be silent: three of the node's keep-alive comments.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(45);
/// How much longer than the wait it asks for a waiting request may take.
const WAIT_MARGIN: Duration = Duration::from_secs(10);
/// The largest answer that is read: far above a full page of the largest tasks.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A node, as the command line speaks to it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    roots: Arc<rustls::RootCertStore>,
    /// One client for each node that was asked, since each trusts that node alone.
    made: Arc<Mutex<BTreeMap<Option<String>, reqwest::Client>>>,
    nodes: Arc<Nodes>,
    token: String,
}

/// One request, before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    method: Method,
    path: &'a str,
    body: Option<&'a Value>,
    idempotency_key: Option<&'a str>,
    wait: Duration,
    repeatable: bool,
}

impl<'a> Call<'a> {
    /// A request without a body.
    pub(crate) const fn new(method: Method, path: &'a str) -> Self {
        let repeatable = matches!(method, Method::GET | Method::PUT);
        Self { method, path, body: None, idempotency_key: None, wait: Duration::ZERO, repeatable }
    }

    /// Says that doing it twice is doing it once: then another node may be asked when this one may have done it already.
    pub(crate) const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// With a JSON body.
    pub(crate) const fn body(mut self, body: &'a Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With the key that makes a repetition harmless.
    pub(crate) const fn idempotency_key(mut self, key: &'a str) -> Self {
        self.idempotency_key = Some(key);
        self.repeatable = true;
        self
    }

    /// Allows the node to wait this long before it answers.
    pub(crate) const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

impl Client {
    /// The client of the cluster of the node in `home`: where that node does not answer, the others it has heard of are asked.
    pub(crate) fn of_cluster(home: &Home, port_offset: Option<u16>) -> Result<Self, ClientError> {
        let mut client = Self::open(home, port_offset)?;
        let own = client.nodes.current().clone();
        client.nodes = Arc::new(Nodes::of(home, own));
        Ok(client)
    }

    /// The client of the node in `home`, and of no other.
    pub(crate) fn open(home: &Home, port_offset: Option<u16>) -> Result<Self, ClientError> {
        let credentials = Credentials::load(home, port_offset)?;
        Self::new(&credentials).map_err(|reason| ClientError::BadCredentials { path: home.credentials(), reason })
    }

    /// The client that these credentials make.
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, String> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(credentials.ca.as_bytes()) {
            let certificate =
                certificate.map_err(|error| format!("the authority's certificate is damaged: {error}"))?;
            roots.add(certificate).map_err(|error| format!("the authority's certificate is not accepted: {error}"))?;
        }
        if roots.is_empty() && credentials.url.starts_with("https") {
            return Err("they name no authority's certificate".to_owned());
        }
        let own = Node { url: credentials.url.clone(), node: credentials.node.clone() };
        let client = Self {
            roots: Arc::new(roots),
            made: Arc::default(),
            nodes: Arc::new(Nodes::one(own)),
            token: credentials.token.clone(),
        };
        client.http(credentials.node.as_deref())?;
        Ok(client)
    }

    /// The client that speaks to this node and to no other.
    fn http(&self, node: Option<&str>) -> Result<reqwest::Client, String> {
        let mut made = self.made.lock();
        let key = node.map(str::to_owned);
        if let Some(http) = made.get(&key) {
            return Ok(http.clone());
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(pin::config(self.roots.clone(), node).map_err(|error| error.to_string())?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("octopussy/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        made.insert(key, http.clone());
        Ok(http)
    }

    /// A request to that node with the token, which nobody else gets to see.
    fn request(&self, method: &Method, node: &Node, path: &str) -> Result<reqwest::RequestBuilder, ClientError> {
        let http = self.http(node.node.as_deref()).map_err(ClientError::BadAnswer)?;
        Ok(http.request(method.clone(), format!("{}{path}", node.url)).bearer_auth(&self.token))
    }

    /// Where the node answers that was asked last with success.
    pub(crate) fn url(&self) -> &str {
        &self.nodes.current().url
    }

    /// Whether other nodes are known.
    pub(crate) fn knows_others(&self) -> bool {
        self.nodes.count() > 1
    }

    /// Sends a request and reads its JSON answer; `null` when there is no content. Where a node does not answer, the others
    /// are tried in turn, within the time that one alone would have.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Value, ClientError> {
        let limit = REQUEST_TIMEOUT.max(call.wait + WAIT_MARGIN);
        let deadline = Instant::now() + limit;
        // Of several nodes none may use up the time of all.
        let each = if self.knows_others() { ATTEMPT_TIMEOUT.max(call.wait + ATTEMPT_TIMEOUT) } else { limit };
        let mut failure = None;
        for (index, node) in self.nodes.in_turn() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.send_to(node, &call, each.min(left)).await {
                Ok(value) => {
                    self.nodes.answered(index);
                    self.learn(node, call.path, &value).await;
                    return Ok(value);
                }
                Err(error) if self.knows_others() && error.is_worth_another_node(call.repeatable) => {
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| self.silent(self.url())))
    }

    async fn send_to(&self, node: &Node, call: &Call<'_>, within: Duration) -> Result<Value, ClientError> {
        let url = node.url.as_str();
        let mut request = self.request(&call.method, node, call.path)?.timeout(within);
        if let Some(body) = call.body {
            request = request.json(body);
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let mut answer = request.send().await.map_err(|error| unreachable(url, &error))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(url, &error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(ClientError::BadAnswer(format!("it is larger than {MAX_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(ClientError::Problem(Box::new(problem::ApiProblem::read(status.as_u16(), &body))));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| ClientError::BadAnswer(error.to_string()))
    }

    /// Keeps the list of nodes up to date, so that another one can be asked when this one is gone. Costs no command its
    /// success.
    async fn learn(&self, node: &Node, path: &str, answer: &Value) {
        if path == MEMBERS {
            self.nodes.remember(answer);
        } else if self.nodes.wants_list()
            && let Ok(members) = self.send_to(node, &Call::new(Method::GET, MEMBERS), LEARN_TIMEOUT).await
        {
            self.nodes.remember(&members);
        }
    }

    /// Reads a resource.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Call::new(Method::GET, path)).await
    }

    /// Opens a stream of events, after the last one that was seen, at the first node that hands it out.
    pub(crate) async fn events(&self, path: &str, last: Option<&str>) -> Result<EventStream, ClientError> {
        let mut failure = None;
        for (index, node) in self.nodes.in_turn() {
            match self.events_of(node, path, last).await {
                Ok(events) => {
                    self.nodes.answered(index);
                    return Ok(events);
                }
                Err(error) if self.knows_others() && error.is_worth_another_node(true) => {
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| self.silent(self.url())))
    }

    async fn events_of(&self, node: &Node, path: &str, last: Option<&str>) -> Result<EventStream, ClientError> {
        let url = node.url.as_str();
        let mut request = self.request(&Method::GET, node, path)?.header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let within = if self.knows_others() { ATTEMPT_TIMEOUT } else { REQUEST_TIMEOUT };
        // A stream has no total timeout; its silence is bounded instead.
        let answer = tokio::time::timeout(within, request.send())
            .await
            .map_err(|_| self.silent(url))?
            .map_err(|error| unreachable(url, &error))?;
        let status = answer.status();
        if !status.is_success() {
            let body = answer.bytes().await.map_err(|error| unreachable(url, &error))?;
            return Err(ClientError::Problem(Box::new(problem::ApiProblem::read(status.as_u16(), &body))));
        }
        Ok(EventStream::new(answer, url.to_owned(), SILENCE_TIMEOUT))
    }

    fn silent(&self, url: &str) -> ClientError {
        let limit = if self.knows_others() { ATTEMPT_TIMEOUT } else { REQUEST_TIMEOUT };
        let reason = format!("no answer within {} s", limit.as_secs());
        ClientError::Unreachable { url: url.to_owned(), reason, refused: false }
    }
}

/// Reads a value as what the command needs of it.
pub(crate) fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, ClientError> {
    T::deserialize(value).map_err(|error| ClientError::BadAnswer(error.to_string()))
}

/// A path's part, such that no name can change the path.
pub(crate) fn segment(name: &str) -> String {
    use std::fmt::Write;
    name.bytes().fold(String::with_capacity(name.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// What a failed request means: the innermost cause says it best.
fn unreachable(url: &str, error: &reqwest::Error) -> ClientError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let reason = if error.is_timeout() { "it took too long".to_owned() } else { cause.to_string() };
    let text = format!("{error:?}");
    if text.contains("InvalidCertificate") || text.contains("UnknownIssuer") {
        return ClientError::WrongCertificate { url: url.to_owned(), reason };
    }
    ClientError::Unreachable { url: url.to_owned(), reason, refused: error.is_connect() }
}
