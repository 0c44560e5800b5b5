//! The OpenAI-compatible API.

use super::stand_in::{AGENT, news};
use super::{Rig, rig, soon};
use octopussy_core::ports::EventKind;
use serde_json::{Value, json};

fn conversation(stream: bool) -> Value {
    json!({
        "model": AGENT,
        "temperature": 0.3,
        "stream": stream,
        "stream_options": {"include_usage": true},
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": [{"type": "text", "text": "write"}, {"type": "text", "text": " this"}]},
        ],
    })
}

fn chunks(text: &str) -> Vec<Value> {
    let data: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(*data.last().unwrap(), "[DONE]", "{text}");
    data[..data.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn said(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

async fn stream(rig: &Rig, tokens: &[&str], answer: &str) -> Vec<Value> {
    let request = rig.post("/v1/chat/completions").json(&conversation(true));
    let answered = tokio::spawn(async move { request.send().await.unwrap().text().await.unwrap() });
    let sender = rig.node.watcher(0).await;
    let id = rig.node.first_task().await;
    // The subscription is there; the snapshot behind it is taken before the answer's head is sent, so wait for nothing else.
    let task = rig.node.accepted(id);
    for (sequence, text) in tokens.iter().enumerate() {
        sender.send(news(&task, sequence as u64, EventKind::Token { step: 0, text: (*text).into() })).unwrap();
    }
    rig.node.looked_at(id).await;
    let ended = rig.node.succeed(id, answer);
    sender.send(news(&ended, 99, EventKind::Ended(ended.clone()))).unwrap();
    chunks(&soon("the stream", answered).await.unwrap())
}

#[tokio::test]
async fn a_conversation_is_a_task() {
    let rig = rig().await;
    let request = rig.post("/v1/chat/completions").header("idempotency-key", "k").json(&conversation(false));
    let answered = tokio::spawn(request.send());
    let id = rig.node.first_task().await;
    rig.node.succeed(id, "written");
    let response = soon("the answer", answered).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"], json!({"role": "assistant", "content": "written", "refusal": null}));
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"], json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}));
    let task = rig.node.submitted.lock().pop().unwrap();
    assert_eq!(task.input, "write this");
    assert_eq!(task.constraints, ["be brief"]);
    assert_eq!(task.history, [("user".to_owned(), "hello".to_owned()), ("assistant".to_owned(), "hi".to_owned())]);
    assert_eq!(task.idempotency_key.as_deref(), Some("k"));
}

#[tokio::test]
async fn an_answer_comes_in_pieces_with_its_usage_at_the_end() {
    let rig = rig().await;
    let chunks = stream(&rig, &["wri", "tten"], "written").await;
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == chunks[0]["id"]));
    assert_eq!(chunks[1]["choices"][0]["delta"]["content"], "wri", "tokens are passed on as they come");
    assert_eq!(said(&chunks), "written");
    let [.., stop, usage] = chunks.as_slice() else { panic!("too few chunks") };
    assert_eq!(stop["choices"][0]["finish_reason"], "stop");
    assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(18)));
}

#[tokio::test]
async fn without_tokens_the_whole_answer_is_one_piece() {
    let rig = rig().await;
    assert_eq!(said(&stream(&rig, &[], "written").await), "written");
}

#[tokio::test]
async fn agents_are_models_and_errors_have_the_shape_that_clients_know() {
    let rig = rig().await;
    let (_, models) = rig.json(rig.get("/v1/models")).await;
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&json!("list"), &json!(AGENT)));
    assert_eq!(rig.json(rig.get("/v1/models/scribe")).await.1["owned_by"], "octopussy");
    let mut unknown = conversation(false);
    unknown["model"] = json!("nobody");
    let (status, body) = rig.json(rig.post("/v1/chat/completions").json(&unknown)).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(body["error"]["type"], "invalid_request_error");
    for body in [
        json!({"model": AGENT, "messages": []}),
        json!({"model": AGENT}),
        json!({"model": AGENT, "messages": [], "n": 2}),
    ] {
        let (status, answer) = rig.json(rig.post("/v1/chat/completions").json(&body)).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"]["message"].is_string());
    }
}
