//! An agent behind the chat-completions protocol.

use octopussy_tests::{AgentDirectory, ModelStub, NodeOptions, NodeRunner, Reply};
use serde_json::{Value, json};

#[tokio::test]
async fn an_agent_answers_as_a_model_whole_and_streamed() {
    let stub = ModelStub::scripted(|_| Reply::Text("Blue, mostly.".to_owned())).await.unwrap();
    let node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("painter", "")).await.unwrap();
    let client = node.rest().unwrap();
    let models = client.get("/v1/models").await.unwrap().expect_status(200);
    assert!(
        models["data"].as_array().is_some_and(|all| all.iter().any(|model| model["id"] == "painter")),
        "{models:#}"
    );
    let mut body = json!({"model": "painter", "messages": [{"role": "user", "content": "Which colour is the sky?"}]});
    let whole = client.post("/v1/chat/completions", &body).await.unwrap().expect_status(200);
    assert_eq!(whole["choices"][0]["message"]["content"], "Blue, mostly.", "{whole:#}");
    assert!(whole["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{whole:#}");

    body["stream"] = json!(true);
    let request = client.request(reqwest::Method::POST, "/v1/chat/completions").json(&body);
    let text = request.send().await.unwrap().text().await.unwrap();
    let chunks: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(chunks.last(), Some(&"[DONE]"), "{text}");
    let spoken: String = chunks[..chunks.len() - 1]
        .iter()
        .map(|chunk| serde_json::from_str::<Value>(chunk).unwrap())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(spoken, "Blue, mostly.", "{text}");

    body["model"] = json!("nobody");
    let unknown = client.post("/v1/chat/completions", &body).await.unwrap();
    assert_eq!(unknown.status, 404, "{:#}", unknown.body);
    assert!(unknown.body["error"]["message"].is_string(), "not an error of this protocol: {:#}", unknown.body);
}
