//! The router against servers that speak the real protocols, and fail like real ones.

mod calls;
mod lent;
mod running;

use super::{Peers, Shared, lend};
use crate::llm_router::essence::Neighbour;
use crate::llm_router::{LlmRouterConfig, LlmRouterHandle};
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use octopussy_core::agent::Intelligence;
use octopussy_core::ids::{AgentId, NodeId, TaskId, TraceId};
use octopussy_core::ports::{
    ChatRequest, ChatTurn, Completion, ConfigurationError, ConfigurationPort, Intent, LlmError, LlmRouterPort,
    MAX_COMPLETION_BYTES, MeshPort, NoObservability, Passage, Reloaded, Role, SecretError, SecretName, SecretValue,
    SecretsPort,
};
use octopussy_core::task::StepKey;
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::broadcast;

/// What the server does next.
#[derive(Clone, Copy)]
enum Act {
    Answer,
    Status(u16),
    RateLimit,
    /// Asks to come back in a minute, by a date.
    ComeBack,
    Empty,
    Hang,
    Cut,
    /// An answer longer than any may be.
    Long,
}

/// A request as it came.
struct Seen {
    path: String,
    headers: axum::http::HeaderMap,
    body: Value,
    peer: std::net::SocketAddr,
}

#[derive(Default)]
struct Script {
    acts: Mutex<VecDeque<Act>>,
    seen: Mutex<Vec<Seen>>,
    cut: tokio::sync::Notify,
}

/// A server that speaks OpenAI, Anthropic, Gemini and Ollama; when its script is at its end, it answers.
async fn serve(acts: &[Act]) -> (String, Arc<Script>) {
    let script = Arc::new(Script { acts: Mutex::new(acts.iter().copied().collect()), ..Script::default() });
    let app = axum::Router::new().fallback(handle).with_state(script.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
        axum::serve(listener, app).await
    });
    (url, script)
}

async fn handle(
    State(script): State<Arc<Script>>,
    axum::extract::ConnectInfo(peer): axum::extract::ConnectInfo<std::net::SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    script.seen.lock().push(Seen {
        path: path.clone(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        peer,
    });
    let act = script.acts.lock().pop_front().unwrap_or(Act::Answer);
    match act {
        Act::Answer => answer(&path),
        Act::Status(status) => {
            (StatusCode::from_u16(status).unwrap(), r#"{"error":{"message":"boom"}}"#).into_response()
        }
        Act::ComeBack => {
            let headers = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")];
            (StatusCode::TOO_MANY_REQUESTS, headers, "slow down").into_response()
        }
        Act::Empty => {
            let empty =
                "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
            ([("content-type", "text/event-stream")], empty).into_response()
        }
        Act::RateLimit => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "slow down").into_response(),
        Act::Long => {
            let piece = format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
                "x".repeat(MAX_COMPLETION_BYTES / 4)
            );
            let pieces = futures::stream::repeat(piece).take(20).map(Ok::<_, std::io::Error>);
            Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(pieces)).unwrap()
        }
        Act::Hang => std::future::pending().await,
        Act::Cut => {
            let first = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";
            // The cut comes once the reader has the first piece: before, nothing would have been streamed.
            let cut = async move {
                script.cut.notified().await;
                Err(std::io::Error::other("cut"))
            };
            let pieces = futures::stream::iter([Ok(first)]).chain(futures::stream::once(cut));
            Response::builder().header("content-type", "text/event-stream").body(Body::from_stream(pieces)).unwrap()
        }
    }
}

fn answer(path: &str) -> Response {
    let events = |text: &'static str| ([("content-type", "text/event-stream")], text).into_response();
    match path {
        "/v1/chat/completions" => events(
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n\
             data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n\
             data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2,\"total_tokens\":13}}\n\n\
             data: [DONE]\n\n",
        ),
        "/v1/messages" => events(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":11,\"output_tokens\":1}}}\n\n\
             event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
             event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n\
             event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
             event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n\
             event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        "/api/chat" => (
            [("content-type", "application/x-ndjson")],
            "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"Hel\"},\"done\":false}\n\
             {\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"lo\"},\"done\":false}\n\
             {\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"prompt_eval_count\":11,\"eval_count\":2}\n",
        )
            .into_response(),
        "/v1beta/models/m:streamGenerateContent" => events(
            "data: {\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"Hel\"}]}}]}\n\n\
             data: {\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"lo\"}]},\"finishReason\":\"STOP\"}],\
             \"usageMetadata\":{\"promptTokenCount\":11,\"candidatesTokenCount\":2,\"totalTokenCount\":13}}\n\n",
        ),
        "/v1/models" | "/v1beta/models" | "/api/tags" => axum::Json(json!({ "data": [], "models": [] })).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) struct Fakes {
    section: Mutex<Value>,
    key: Mutex<String>,
    now: AtomicU64,
    rotated: broadcast::Sender<SecretName>,
    reloaded: broadcast::Sender<Reloaded>,
}

impl Fakes {
    fn new(section: Value) -> Arc<Self> {
        Arc::new(Self {
            section: Mutex::new(section),
            key: Mutex::new("sk-one".into()),
            now: AtomicU64::new(1),
            rotated: broadcast::channel(8).0,
            reloaded: broadcast::channel(8).0,
        })
    }
}

/// What is announced from now on.
fn announced<T: Clone + Send + 'static>(from: &broadcast::Sender<T>) -> BoxStream<'static, T> {
    let next = |mut from: broadcast::Receiver<T>| async move { from.recv().await.ok().map(|item| (item, from)) };
    futures::stream::unfold(from.subscribe(), next).boxed()
}

#[async_trait]
impl ConfigurationPort for Fakes {
    async fn get(&self, _: &str) -> Option<Value> {
        None
    }
    fn section(&self, _: &str) -> Value {
        self.section.lock().clone()
    }
    async fn reload(&self) -> Result<Reloaded, ConfigurationError> {
        Ok(Reloaded { sections: Vec::new() })
    }
    fn subscribe(&self) -> BoxStream<'static, Reloaded> {
        announced(&self.reloaded)
    }
}

#[async_trait]
impl SecretsPort for Fakes {
    async fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        let key = self.key.lock().clone();
        if key.is_empty() { Err(SecretError::Unknown(name.clone())) } else { Ok(SecretValue::new(key.into_bytes())) }
    }
    async fn set(&self, _: &SecretName, _: SecretValue) -> Result<(), SecretError> {
        Ok(())
    }
    async fn get_or_generate(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        SecretsPort::get(self, name).await
    }
    async fn delete(&self, _: &SecretName) -> Result<(), SecretError> {
        Ok(())
    }
    async fn list(&self) -> Result<Vec<SecretName>, SecretError> {
        Ok(Vec::new())
    }
    fn derived_key(&self, _: &str) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new([0; 32])
    }
    fn rotations(&self) -> BoxStream<'static, SecretName> {
        announced(&self.rotated)
    }
}

impl Clock for Fakes {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }
}

pub(super) fn router(section: Value) -> (LlmRouterHandle, Arc<Shared>, Arc<Fakes>) {
    let fakes = Fakes::new(section.clone());
    let config: LlmRouterConfig = serde_json::from_value(section).unwrap();
    let mesh = octopussy_mesh::memory::Network::new(1).node(NodeId([1; 16]), 1);
    router_on(config, fakes, mesh)
}

/// A router whose neighbours are those of `mesh`: nodes 1 and 2 are full members, 3 is a guest called "tower".
pub(super) fn router_on(
    config: LlmRouterConfig,
    fakes: Arc<Fakes>,
    mesh: Arc<dyn MeshPort>,
) -> (LlmRouterHandle, Arc<Shared>, Arc<Fakes>) {
    let (home, observability) = (std::env::temp_dir(), Arc::new(NoObservability));
    let neighbour =
        |number: u8, name: &str, full| Neighbour { id: NodeId([number; 16]).to_string(), name: name.into(), full };
    let neighbours = [neighbour(1, "attic", true), neighbour(2, "cellar", true), neighbour(3, "tower", false)];
    let peers = Peers::new(mesh.clone(), Box::new(move || neighbours.to_vec()));
    let shared = Shared::open(config, fakes.clone(), fakes.clone(), observability, fakes.clone(), home, peers);
    let shared = Arc::new(shared.unwrap());
    lend(mesh.as_ref(), &shared);
    (LlmRouterHandle::new(shared.clone()), shared, fakes)
}

pub(super) fn request(timeout: Duration) -> ChatRequest {
    let agent = AgentId::from_name("a");
    ChatRequest {
        model: None,
        system: "Be brief.".into(),
        passages: vec![Passage { source: "a.md".into(), line: 3, text: "The sky is blue.".into(), suspicious: false }],
        earlier: Vec::new(),
        constraints: Vec::new(),
        turns: vec![ChatTurn { role: Role::User, text: "What colour is the sky?".into() }],
        intent: Intent::Answer,
        temperature: 0.2,
        max_tokens: 100,
        json: false,
        timeout,
        key: Some(StepKey { task: TaskId::for_agent(agent, *agent.as_uuid()), index: 4 }),
        trace: Some(trace()),
    }
}

/// Asks and gives back what was streamed, too.
async fn ask(
    router: &LlmRouterHandle,
    intelligence: &Intelligence,
    timeout: Duration,
) -> (Result<Completion, LlmError>, String) {
    let streamed = Mutex::new(String::new());
    let sink = |piece: &str| streamed.lock().push_str(piece);
    let model = router.resolve(intelligence).unwrap();
    let result = model.complete(&request(timeout), &sink).await;
    (result, streamed.into_inner())
}

pub(super) fn of(provider: &str) -> Intelligence {
    Intelligence { provider: Some(provider.into()), ..Intelligence::default() }
}

/// The trace of every request.
pub(super) fn trace() -> TraceId {
    "4bf92f35-77b3-4da6-a3ce-929d0e0e4736".parse().unwrap()
}

const LONG: Duration = Duration::from_secs(20);
