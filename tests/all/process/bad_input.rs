//! What a client sends wrongly is refused with a code, a reason and a way out, and the node lives on.

use octopussy_tests::{AgentDirectory, ModelStub, NodeOptions, NodeRunner, Reply, eventually};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn credentials_that_do_not_count() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let client = node.rest().unwrap();
    for path in ["/api/v1/agents", "/api/v1/tasks", "/api/v1/status", "/api/v1/secrets", "/v1/models"] {
        let missing = client.with_token("").get(path).await.unwrap();
        assert_eq!(missing.status, 401, "{path} without a token: {:#}", missing.body);
        let wrong = client.with_token("eyJhbGciOiJIUzI1NiJ9.e30.AAAA").get(path).await.unwrap();
        assert_eq!(wrong.status, 401, "{path} with a made-up token: {:#}", wrong.body);
    }
    client.with_token("").get("/api/v1/agents").await.unwrap().expect_problem(401, "OCTO-1100");
    let mut tampered = client.token().to_owned();
    let last = if tampered.ends_with('A') { 'B' } else { 'A' };
    tampered.replace_range(tampered.len() - 6..tampered.len() - 5, &last.to_string());
    client.with_token(&tampered).get("/api/v1/agents").await.unwrap().expect_problem(401, "OCTO-1100");
    // The algorithm of a token is the node's choice, never the token's.
    let payload = client.token().split('.').nth(1).unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    client.with_token(&unsigned).get("/api/v1/agents").await.unwrap().expect_problem(401, "OCTO-1100");
    for path in ["/health", "/ready", "/openapi.json", "/api/v1/schemas/agent.json"] {
        assert_eq!(client.with_token("").get(path).await.unwrap().status, 200, "{path} needs no token");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.create_agent(&AgentDirectory::new("clerk", "")).await.unwrap();
    let client = node.rest().unwrap();
    let post = |body: &'static str, media: &'static str| {
        client.send(client.request(Method::POST, "/api/v1/tasks").header("content-type", media).body(body))
    };
    post("{\"agent\": \"clerk\", ", "application/json").await.unwrap().expect_problem(400, "OCTO-1000");
    post("agent=clerk", "application/x-www-form-urlencoded").await.unwrap().expect_problem(415, "OCTO-1002");
    let unknown = post("{\"agent\": \"clerk\", \"inptu\": \"x\"}", "application/json").await.unwrap();
    assert!(matches!(unknown.status, 400 | 422), "{}: {:#}", unknown.status, unknown.body);
    assert!(unknown.body["detail"].as_str().is_some_and(|text| text.contains("inp")), "{:#}", unknown.body);
    client.get("/api/v1/nothing").await.unwrap().expect_problem(404, "OCTO-1003");
    client.delete("/api/v1/tasks").await.unwrap().expect_problem(405, "OCTO-1004");
    client.get("/api/v1/tasks/not-a-uuid").await.unwrap().expect_problem(400, "OCTO-1000");
    client.get("/api/v1/tasks?limit=0").await.unwrap().expect_problem(400, "OCTO-1000");
    client.get("/api/v1/tasks/0193b3a0-0000-7000-8000-000000000000").await.unwrap().expect_problem(404, "OCTO-1300");
    let task = json!({"agent": "nobody", "input": "x"});
    let problem = client.post("/api/v1/tasks", &task).await.unwrap().expect_problem(404, "OCTO-1200");
    assert!(problem["hint"].is_string(), "no way out: {problem:#}");
}

#[tokio::test]
async fn payloads_over_the_limit() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.create_agent(&AgentDirectory::new("clerk", "")).await.unwrap();
    let client = node.rest().unwrap();
    let task = |input: String| json!({"agent": "clerk", "input": input});
    let over = client.post("/api/v1/tasks", &task("x".repeat(256 * 1024 + 1))).await.unwrap();
    over.expect_problem(413, "OCTO-1001");
    let far_over = client.post("/api/v1/tasks", &task("x".repeat(20 * 1024 * 1024))).await;
    if let Ok(answer) = far_over {
        assert_eq!(answer.status, 413, "{:#}", answer.body);
    } // else: the connection was closed while the body was still being sent, which is an answer too
    let within = client.post("/api/v1/tasks", &task("word ".repeat(40 * 1024))).await.unwrap();
    assert_eq!(within.status, 202, "{:#}", within.body);
}

#[tokio::test]
async fn agent_directories_with_errors() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    let client = node.rest().unwrap();
    let daemon = AgentDirectory::new("daemon", "").file(
        "agent.yaml",
        "name: daemon\ndescription: Wakes.\ntype: SCHEDULED_TASK_DAEMON\nscheduler:\n  cron: \"61 * * * *\"\n",
    );
    let problem = client.post("/api/v1/agents", &daemon.bundle()).await.unwrap().expect_problem(422, "OCTO-1201");
    assert!(has_finding(&problem, "agent.yaml", 5, "cron"), "{problem:#}");
    let report = client.post("/api/v1/agents/validate", &daemon.bundle()).await.unwrap().expect_status(200);
    assert_eq!(report["valid"], false, "{report:#}");
    assert!(has_finding(&report, "agent.yaml", 5, "cron"), "{report:#}");
    let escape = AgentDirectory::new("escape", "").file("memory.md", "Facts.\n").file("../evil.md", "text");
    let refused = client.post("/api/v1/agents", &escape.bundle()).await.unwrap();
    assert!(matches!(refused.status, 400 | 422), "{}: {:#}", refused.status, refused.body);
    let good = AgentDirectory::new("twice", "");
    client.post("/api/v1/agents", &good.bundle()).await.unwrap().expect_status(201);
    client.post("/api/v1/agents", &good.bundle()).await.unwrap().expect_problem(409, "OCTO-1202");
    client.get("/api/v1/agents/nobody").await.unwrap().expect_problem(404, "OCTO-1200");
}

fn has_finding(body: &Value, file: &str, line: u32, word: &str) -> bool {
    body["findings"].as_array().is_some_and(|findings| {
        findings.iter().any(|finding| {
            finding["file"] == file
                && finding["line"] == line
                && finding["message"].as_str().is_some_and(|text| text.contains(word))
        })
    })
}

#[tokio::test]
async fn a_full_mailbox_asks_to_come_back_and_loses_nothing() {
    let stub = ModelStub::scripted(|_| Reply::Hang).await.unwrap();
    let node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("swamped", "")).await.unwrap();
    let client = node.rest().unwrap();
    let mut accepted = 0_u64;
    let full = 'filling: loop {
        let wave = (0..64).map(|_| client.post("/api/v1/tasks", &SWAMPED));
        for answer in futures::future::join_all(wave).await {
            let answer = answer.unwrap();
            match answer.status {
                202 => accepted += 1,
                429 => break 'filling answer,
                _ => panic!("{}: {:#}", answer.status, answer.body),
            }
        }
        assert!(accepted < 100_000, "the mailbox has no bound");
    };
    assert!(full.retry_after.is_some_and(|seconds| seconds >= 1), "no Retry-After");
    full.expect_problem(429, "OCTO-1203");
    let id = eventually("one task is begun", || async {
        let page = client.get("/api/v1/tasks?state=RUNNING").await.ok()?.body;
        page["items"][0]["task_id"].as_str().map(str::to_owned)
    })
    .await;
    client.post(&format!("/api/v1/tasks/{id}/cancel"), &json!({})).await.unwrap();
    eventually("there is room again", || async {
        let answer = client.post("/api/v1/tasks", &SWAMPED).await.ok()?;
        (answer.status == 202).then_some(())
    })
    .await;
}

static SWAMPED: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!({"agent": "swamped", "input": "more"}));
