//! The same request twice is one task.

use octopussy_tests::{AgentDirectory, NodeOptions, NodeRunner};
use reqwest::Method;
use serde_json::{Value, json};

async fn submit(node: &NodeRunner, key: &str, input: &str) -> octopussy_tests::Answer {
    let client = node.rest().unwrap();
    let request = client.request(Method::POST, "/api/v1/tasks").header("idempotency-key", key);
    client.send(request.json(&json!({"agent": "clerk", "input": input}))).await.unwrap()
}

#[tokio::test]
async fn a_key_names_one_task_also_over_a_crash() {
    let mut node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.create_agent(&AgentDirectory::new("clerk", "")).await.unwrap();
    let first: Value = submit(&node, "order-17", "Water is wet. What is wet?").await.expect_status(202);
    assert_eq!(first["created"], true);
    node.ended(first["task_id"].as_str().unwrap()).await.unwrap();
    let again = submit(&node, "order-17", "Water is wet. What is wet?").await;
    assert!(matches!(again.status, 200 | 202), "{}: {:#}", again.status, again.body);
    assert_eq!((&again.body["task_id"], &again.body["created"]), (&first["task_id"], &json!(false)));
    submit(&node, "order-17", "Something else.").await.expect_problem(409, "OCTO-1301");
    node.restart_after_kill9().await.unwrap();
    let after = submit(&node, "order-17", "Water is wet. What is wet?").await;
    assert_eq!((&after.body["task_id"], &after.body["created"]), (&first["task_id"], &json!(false)));
    let other = submit(&node, "order-18", "Water is wet. What is wet?").await.expect_status(202);
    assert_ne!(other["task_id"], first["task_id"]);
    let tasks = node.rest().unwrap().get("/api/v1/tasks?agent=clerk").await.unwrap().expect_status(200);
    assert_eq!(tasks["items"].as_array().map(Vec::len), Some(2), "{tasks:#}");
}

#[tokio::test]
async fn many_at_once_under_one_key_are_one_task() {
    let node = NodeRunner::start(NodeOptions::new()).await.unwrap();
    node.create_agent(&AgentDirectory::new("clerk", "")).await.unwrap();
    let answers = futures::future::join_all((0..16).map(|_| submit(&node, "race", "Fire is hot. What is hot?"))).await;
    let created = answers.iter().filter(|answer| answer.body["created"] == true).count();
    assert_eq!(created, 1, "{answers:#?}");
    let first = &answers[0].body["task_id"];
    assert!(first.is_string() && answers.iter().all(|answer| &answer.body["task_id"] == first));
}
