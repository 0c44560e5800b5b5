//! What a call costs beside the wire. Prints; checks nothing, because a busy machine proves nothing:
//! `cargo test --release -p octopussy-execution --all-features --lib measure -- --ignored --nocapture`.

use super::tests::{of, request, router};
use super::wire::{Target, call};
use crate::llm_router::ProviderKind;
use crate::llm_router::essence::extractive;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use octopussy_core::ports::{ChatRequest, LlmRouterPort as _, SecretValue};
use octopussy_core::text::DocumentIndex;
use serde_json::{Value, json};
use std::future::Future;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3000;
const WARM_UP: usize = 300;
/// How many pieces a streamed answer has.
const PIECES: usize = 16;

async fn handle(axum::Json(body): axum::Json<Value>) -> Response {
    if body["stream"] != true {
        return axum::Json(json!({
            "id": "c", "object": "chat.completion", "model": "m",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "word ".repeat(PIECES) }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 11, "completion_tokens": 16, "total_tokens": 27 },
        }))
        .into_response();
    }
    let mut events = String::new();
    for _ in 0..PIECES {
        events.push_str(
            "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n",
        );
    }
    events.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    events.push_str("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":16,\"total_tokens\":27}}\n\ndata: [DONE]\n\n");
    ([("content-type", "text/event-stream")], events).into_response()
}

/// Calls one at a time; the median and the 99th percentile.
async fn timed<F: Future<Output = ()>>(name: &str, mut one: impl FnMut() -> F) {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP + ROUNDS {
        let began = Instant::now();
        one().await;
        if round >= WARM_UP {
            times.push(began.elapsed());
        }
    }
    times.sort_unstable();
    println!("{name:<44} p50 {:>9.1?}  p99 {:>9.1?}", times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
}

fn raw_body(request: &ChatRequest, stream: bool) -> Value {
    let mut body = json!({
        "model": "m", "temperature": 0.2, "max_tokens": 100, "stream": stream,
        "messages": [{ "role": "system", "content": request.system }, { "role": "user", "content": request.turns[0].text }],
    });
    if stream {
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints times; checks nothing"]
async fn measure_a_call() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/v1/chat/completions", axum::routing::post(handle));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (handle, ..) = router(json!({ "providers": { "p": { "url": url, "model": "m" } } }));
    let model = handle.resolve(&of("p")).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().tcp_nodelay(true).tls_certs_only([]).build().unwrap();
    let request = request(Duration::from_secs(20));
    let target = || Target {
        provider: "p",
        kind: ProviderKind::OpenAi,
        url: &url,
        model: "m",
        key: SecretValue::new(Vec::new()),
        local: true,
    };
    let completions = format!("{url}chat/completions");

    // Twice, so that the order shows no effect.
    for _ in 0..2 {
        timed("reqwest alone, one JSON answer", || async {
            let response = http.post(&completions).json(&raw_body(&request, false)).send().await.unwrap();
            let answer: Value = response.json().await.unwrap();
            assert!(answer["choices"][0]["message"]["content"].is_string());
        })
        .await;
        timed("reqwest alone, streamed, not parsed", || async {
            let response = http.post(&completions).json(&raw_body(&request, true)).send().await.unwrap();
            let mut body = response.bytes_stream();
            while let Some(piece) = body.next().await {
                piece.unwrap();
            }
        })
        .await;
        timed("genai, one JSON answer", || async {
            let client = genai::Client::builder().with_reqwest(http.clone()).build().unwrap();
            let target = genai::ServiceTarget {
                endpoint: genai::resolver::Endpoint::from_owned(url.as_str()),
                auth: genai::resolver::AuthData::from_single(""),
                model: genai::ModelIden::new(genai::adapter::AdapterKind::OpenAI, "m"),
            };
            let turns = vec![genai::chat::ChatMessage::user(request.turns[0].text.as_str())];
            client.exec_chat(target, genai::chat::ChatRequest::new(turns), None).await.unwrap();
        })
        .await;
        timed("the protocol, streamed", || async {
            call(http.clone(), target(), &request, &|_| ()).await.unwrap();
        })
        .await;
        timed("the router, streamed", || async {
            model.complete(&request, &|_| ()).await.unwrap();
        })
        .await;
    }
}

#[test]
#[ignore = "prints times; checks nothing"]
fn measure_the_embedded_model() {
    const GUIDE: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../config/agents/librarian/docs/pi-cluster-field-guide.md"
    ));
    let time = |name: &str, one: &mut dyn FnMut()| {
        let began = Instant::now();
        for _ in 0..ROUNDS {
            one();
        }
        println!("{name:<44} mean {:>9.1?}", began.elapsed() / u32::try_from(ROUNDS).unwrap());
    };
    let index = DocumentIndex::new(&[("guide.md".to_owned(), GUIDE.into())]);
    let mut request = request(Duration::from_secs(20));
    let question = "How much power does a Raspberry Pi cluster need?";
    request.turns[0].text = question.into();
    time("the embedded model, one short passage", &mut || drop(extractive::answer(&request)));
    request.passages = index.search(question, 5);
    let bytes: usize = request.passages.iter().map(|passage| passage.text.len()).sum();
    time(&format!("the embedded model, 5 passages, {bytes} bytes"), &mut || drop(extractive::answer(&request)));
    time("passages of an indexed document", &mut || drop(index.search(question, 5)));
    let (router, ..) = router(json!({ "providers": { "p": { "url": "http://127.0.0.1:1", "model": "m" } } }));
    time("resolve", &mut || drop(router.resolve(&of("p")).unwrap()));
}
