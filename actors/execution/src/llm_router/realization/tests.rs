//! The router against servers that speak the real protocols, and fail like real ones.

use super::Shared;
use super::health::probe;
use crate::llm_router::{LlmRouterConfig, LlmRouterHandle};
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use octopussy_core::agent::{Fallback, Intelligence};
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::{
    ChatRequest, ChatTurn, Completion, ConfigurationError, ConfigurationPort, Intent, LlmError, LlmRouterPort,
    NoObservability, Passage, ProviderHealth, Reloaded, Role, SecretError, SecretName, SecretValue, SecretsPort,
};
use octopussy_core::task::StepKey;
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the server does next.
#[derive(Clone, Copy)]
enum Act {
    Answer,
    Status(u16),
    RateLimit,
    Hang,
    Cut,
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

/// A server that speaks OpenAI, Anthropic and Ollama; when its script is at its end, it answers.
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
        Act::Status(status) => (StatusCode::from_u16(status).unwrap(), r#"{"error":{"message":"boom"}}"#).into_response(),
        Act::RateLimit => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "slow down").into_response(),
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
        "/v1/models" | "/api/tags" => axum::Json(json!({ "data": [], "models": [] })).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) struct Fakes {
    section: Mutex<Value>,
    key: Mutex<String>,
    now: AtomicU64,
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
        futures::stream::pending().boxed()
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
    async fn rotate(&self, _: &SecretName) -> Result<(), SecretError> {
        Ok(())
    }
    async fn delete(&self, _: &SecretName) -> Result<(), SecretError> {
        Ok(())
    }
    async fn list(&self) -> Result<Vec<SecretName>, SecretError> {
        Ok(Vec::new())
    }
    fn rotations(&self) -> BoxStream<'static, SecretName> {
        futures::stream::pending().boxed()
    }
}

impl Clock for Fakes {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }
}

pub(super) fn router(section: Value) -> (LlmRouterHandle, Arc<Shared>, Arc<Fakes>) {
    let fakes =
        Arc::new(Fakes { section: Mutex::new(section.clone()), key: Mutex::new("sk-one".into()), now: AtomicU64::new(1) });
    let config: LlmRouterConfig = serde_json::from_value(section).unwrap();
    let home = std::env::temp_dir();
    let shared = Shared::open(config, fakes.clone(), fakes.clone(), Arc::new(NoObservability), fakes.clone(), home);
    let shared = Arc::new(shared.unwrap());
    (LlmRouterHandle::new(shared.clone()), shared, fakes)
}

pub(super) fn request(timeout: Duration) -> ChatRequest {
    let agent = AgentId::from_name("a");
    ChatRequest {
        model: None,
        system: "Be brief.".into(),
        passages: vec![Passage { source: "a.md".into(), line: 3, text: "The sky is blue.".into() }],
        turns: vec![ChatTurn { role: Role::User, text: "What colour is the sky?".into() }],
        intent: Intent::Answer,
        temperature: 0.2,
        max_tokens: 100,
        json: false,
        timeout,
        key: Some(StepKey { task: TaskId::for_agent(agent, *agent.as_uuid()), index: 4 }),
    }
}

/// Asks and gives back what was streamed, too.
async fn ask(router: &LlmRouterHandle, intelligence: &Intelligence, timeout: Duration) -> (Result<Completion, LlmError>, String) {
    let streamed = Mutex::new(String::new());
    let sink = |piece: &str| streamed.lock().push_str(piece);
    let model = router.resolve(intelligence).unwrap();
    let result = model.complete(&request(timeout), &sink).await;
    (result, streamed.into_inner())
}

pub(super) fn of(provider: &str) -> Intelligence {
    Intelligence { provider: Some(provider.into()), ..Intelligence::default() }
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn openai_anthropic_and_ollama_stream_their_answers() {
    let (url, script) = serve(&[]).await;
    let (router, ..) = router(json!({ "providers": {
        "openai": { "kind": "openai", "url": url, "model": "m", "api_key_secret": "k", "cost_in": 1.0, "cost_out": 2.0 },
        "anthropic": { "kind": "anthropic", "url": url, "model": "m", "api_key": "${secret:k}" },
        "ollama": { "kind": "ollama", "url": url, "model": "m" },
    }}));
    for name in ["openai", "anthropic", "ollama"] {
        let (result, streamed) = ask(&router, &of(name), LONG).await;
        let completion = result.unwrap();
        assert_eq!((completion.text.as_str(), streamed.as_str()), ("Hello", "Hello"), "{name}");
        assert_eq!(completion.by, format!("{name}/m"));
        assert_eq!((completion.usage.prompt_tokens, completion.usage.completion_tokens), (11, 2), "{name}");
        assert_eq!(completion.usage.cost_micros, if name == "openai" { 15 } else { 0 });
    }
    let seen = script.seen.lock();
    let key = request(LONG).key.unwrap().to_string();
    for (seen, path) in seen.iter().zip(["/v1/chat/completions", "/v1/messages", "/api/chat"]) {
        assert_eq!(seen.path, path);
        assert_eq!(seen.headers["idempotency-key"], key.as_str());
        assert_eq!(seen.body["model"], "m");
        assert!(seen.body.to_string().contains("[a.md:3]"), "{}", seen.body);
    }
    assert_eq!(seen[0].headers["authorization"], "Bearer sk-one");
    assert_eq!(seen[1].headers["x-api-key"], "sk-one");
}

#[tokio::test]
async fn passing_errors_are_tried_again_and_lasting_ones_are_not() {
    let (url, script) = serve(&[Act::Status(500), Act::RateLimit, Act::Answer, Act::Status(400), Act::Status(401)]).await;
    let (router, ..) = router(json!({ "providers": { "p": { "url": url, "model": "m" } } }));
    assert_eq!(ask(&router, &of("p"), LONG).await.0.unwrap().text, "Hello");
    assert_eq!(script.seen.lock().len(), 3);
    let rejected = ask(&router, &of("p"), LONG).await.0.unwrap_err();
    assert!(matches!(&rejected, LlmError::Rejected { detail, .. } if detail.contains("boom")), "{rejected:?}");
    assert!(matches!(ask(&router, &of("p"), LONG).await.0, Err(LlmError::Unauthorized { .. })));
    assert_eq!(script.seen.lock().len(), 5);
}

#[tokio::test]
async fn a_hanging_provider_times_out_and_the_fallback_answers() {
    let (slow, _) = serve(&[Act::Hang]).await;
    let (good, _) = serve(&[]).await;
    let (router, ..) = router(json!({ "providers": {
        "slow": { "url": slow, "model": "m" }, "good": { "url": good, "model": "n" },
    }}));
    let mut intelligence = of("slow");
    intelligence.fallback = Some(Fallback { provider: "good".into(), model: None });
    let began = Instant::now();
    let (result, _) = ask(&router, &intelligence, Duration::from_millis(300)).await;
    assert_eq!(result.unwrap().by, "good/n");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn when_nobody_answers_the_error_says_what_each_one_said() {
    let (url, _) = serve(&[Act::Status(500); 9]).await;
    let (router, ..) = router(json!({ "providers": {
        "a": { "url": url, "model": "m" }, "b": { "url": url, "model": "m", "enabled": false },
    }}));
    let mut intelligence = of("a");
    intelligence.fallback = Some(Fallback { provider: "b".into(), model: None });
    let (result, _) = ask(&router, &intelligence, LONG).await;
    let LlmError::Exhausted { tried } = result.unwrap_err() else { panic!("both failed") };
    assert!(tried[0].contains("500") && tried[1].contains("disabled"), "{tried:?}");
}

#[tokio::test]
async fn a_cut_answer_is_neither_repeated_nor_taken_elsewhere() {
    let (url, script) = serve(&[Act::Cut]).await;
    let (router, ..) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    let mut intelligence = of("a");
    intelligence.fallback = Some(Fallback { provider: "builtin".into(), model: None });
    let streamed = Mutex::new(String::new());
    let sink = |piece: &str| {
        streamed.lock().push_str(piece);
        script.cut.notify_one();
    };
    let result = router.resolve(&intelligence).unwrap().complete(&request(LONG), &sink).await;
    assert!(matches!(result, Err(LlmError::Unavailable { .. })), "{result:?}");
    assert_eq!(*streamed.lock(), "Hel");
    assert_eq!(script.seen.lock().len(), 1);
}

#[tokio::test]
async fn a_circuit_opens_and_closes_again() {
    let (url, script) = serve(&[Act::Status(500); 5]).await;
    let (router, _, fakes) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    for _ in 0..3 {
        assert!(ask(&router, &of("a"), LONG).await.0.is_err());
    }
    assert_eq!(script.seen.lock().len(), 5, "the sixth call did not go out");
    assert_eq!(router.providers()[1].health, ProviderHealth::Unhealthy);
    fakes.now.fetch_add(31_000, Ordering::Relaxed);
    assert_eq!(ask(&router, &of("a"), LONG).await.0.unwrap().text, "Hello");
    assert_eq!(router.providers()[1].health, ProviderHealth::Healthy);
}

#[tokio::test]
async fn a_rotated_key_is_used_from_the_next_call_on() {
    let (url, script) = serve(&[]).await;
    let (router, shared, fakes) =
        router(json!({ "default_provider": "a", "providers": { "a": { "url": url, "model": "m", "api_key_secret": "k" } } }));
    let any = Intelligence::default();
    ask(&router, &any, LONG).await.0.unwrap();
    *fakes.key.lock() = "sk-two".into();
    ask(&router, &any, LONG).await.0.unwrap();
    shared.state().providers["a"].rotated(&SecretName::new("k").unwrap());
    ask(&router, &any, LONG).await.0.unwrap();
    let seen = script.seen.lock();
    let keys: Vec<_> = seen.iter().map(|seen| seen.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(keys, ["Bearer sk-one", "Bearer sk-one", "Bearer sk-two"]);
    assert!(seen.iter().all(|other| other.peer == seen[0].peer), "the connection is kept");
}

#[tokio::test]
async fn a_reload_changes_providers_and_a_bad_one_changes_nothing() {
    let (url, _) = serve(&[]).await;
    let (router, shared, fakes) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    probe(&shared.state().providers["a"]).await.unwrap();
    *fakes.section.lock() = json!({ "providers": { "b": { "url": url, "model": "m" } } });
    router.reload().await.unwrap();
    assert!(matches!(router.resolve(&of("a")), Err(LlmError::UnknownProvider { .. })));
    assert!(router.resolve(&of("b")).is_ok());
    *fakes.section.lock() = json!({ "providers": { "b": { "url": "ftp://x", "model": "m" } } });
    let error = router.reload().await.unwrap_err().to_string();
    assert!(error.contains("llm_router.providers.b") && error.contains("ftp://x"), "{error}");
    assert!(router.resolve(&of("b")).is_ok());
}

#[tokio::test]
async fn without_providers_the_embedded_model_answers() {
    let (router, ..) = router(json!({}));
    let (result, streamed) = ask(&router, &Intelligence::default(), LONG).await;
    let completion = result.unwrap();
    assert_eq!(completion.by, "builtin/extractive");
    assert!(completion.text.contains("The sky is blue. [a.md:3]"), "{}", completion.text);
    assert_eq!(completion.text, streamed);
    assert_eq!(completion.usage.cost_micros, 0);
    assert!(completion.usage.tokens() > 0);
}
