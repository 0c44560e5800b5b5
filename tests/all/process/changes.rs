//! An agent that changes while it works, and goes.

use octopussy_tests::{AgentDirectory, ModelStub, NodeOptions, NodeRunner, Reply, eventually};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn first() -> AgentDirectory {
    AgentDirectory::on_stub("clerk", "reasoning:\n  pattern: reflection\n")
        .file("persona.md", "You are the old clerk.\n")
}

fn second() -> AgentDirectory {
    AgentDirectory::on_stub("clerk", "").file("persona.md", "You are the new clerk.\n")
}

fn model_steps(task: &Value) -> usize {
    task["steps"].as_array().map_or(0, |steps| steps.iter().filter(|step| step["kind"] == "model").count())
}

#[tokio::test]
async fn a_run_ends_on_its_version_through_a_crash_and_the_next_task_takes_the_new_one() {
    let (count, crashed) = (AtomicU64::new(0), Arc::new(AtomicBool::new(false)));
    let after_crash = Arc::clone(&crashed);
    let stub = ModelStub::scripted(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 if !after_crash.load(Ordering::SeqCst) => Reply::Hang,
        call => Reply::Text(format!("Answer {call}.")),
    })
    .await
    .unwrap();
    let mut node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&first()).await.unwrap();
    let running = node.submit("clerk", "What is durable?").await.unwrap();
    eventually("the second call is in flight", || async { (stub.calls() == 2).then_some(()) }).await;

    let folder = tempfile::tempdir().unwrap();
    second().write(folder.path()).unwrap();
    let directory = folder.path().to_str().unwrap();
    let planned = node.cli(&["agent", "diff", "clerk", directory, "--json"]).await.unwrap().json();
    let changed: Vec<_> = planned["changes"].as_array().unwrap().iter().map(|change| change["file"].clone()).collect();
    assert_eq!(changed, [json!("agent.yaml"), json!("persona.md")], "{planned:#}");
    let updated = node.cli(&["agent", "update", directory]).await.unwrap();
    assert!(updated.text().contains("version 2"), "{}", updated.text());

    node.kill9().unwrap();
    crashed.store(true, Ordering::SeqCst);
    node.launch().await.unwrap();
    let ended = node.ended(&running).await.unwrap();
    assert_eq!((&ended["state"], &ended["agent_version"]), (&json!("SUCCEEDED"), &json!(1)), "{ended:#}");
    assert_eq!(model_steps(&ended), 3, "it was begun with three calls: {ended:#}");
    let old = stub.recorded().len();
    assert!(stub.recorded().iter().all(|call| call.body["messages"].to_string().contains("old clerk")));

    let fresh = node.submit("clerk", "And now?").await.unwrap();
    let ended = node.ended(&fresh).await.unwrap();
    assert_eq!((&ended["agent_version"], model_steps(&ended)), (&json!(2), 1), "{ended:#}");
    let asked = stub.recorded();
    assert!(asked[old..].iter().all(|call| call.body["messages"].to_string().contains("new clerk")));

    let diff = node.cli(&["agent", "diff", "clerk", "--from", "1", "--to", "2", "--json"]).await.unwrap().json();
    assert_eq!(diff, planned, "what was planned is what came");
    let history = node.cli(&["agent", "history", "clerk", "--json"]).await.unwrap().json();
    let numbers: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|version| version["version"].clone()).collect();
    assert_eq!(numbers, [json!(2), json!(1)], "{history:#}");
}

#[tokio::test]
async fn a_deleted_agent_leaves_its_name_and_its_ended_tasks() {
    let hangs = Arc::new(AtomicBool::new(false));
    let mood = Arc::clone(&hangs);
    let stub =
        ModelStub::scripted(
            move |_| {
                if mood.load(Ordering::SeqCst) { Reply::Hang } else { Reply::Text("Done.".to_owned()) }
            },
        )
        .await
        .unwrap();
    let node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&second()).await.unwrap();
    let done = node.submit("clerk", "one").await.unwrap();
    node.ended(&done).await.unwrap();
    hangs.store(true, Ordering::SeqCst);
    let running = node.submit("clerk", "two").await.unwrap();
    node.task_when(&running, "it runs", |task| task["state"] == "RUNNING").await;

    let refused = node.cli(&["agent", "delete", "clerk", "--yes"]).await.unwrap();
    assert!(!refused.status.success() && refused.stderr.contains("--force"), "{}", refused.text());
    let unasked = node.cli(&["agent", "delete", "clerk", "--force"]).await.unwrap();
    assert_eq!(unasked.status.code(), Some(2), "nobody can be asked: {}", unasked.text());
    let deleted = node.cli(&["agent", "delete", "clerk", "--force", "--yes", "--json"]).await.unwrap().json();
    assert_eq!(deleted, json!({"cancelled": 1}));
    let cancelled = node.ended(&running).await.unwrap();
    assert_eq!(cancelled["state"], "CANCELLED", "{cancelled:#}");
    let client = node.rest().unwrap();
    client.get("/api/v1/agents/clerk").await.unwrap().expect_problem(404, "OCTO-1200");
    assert_eq!(node.ended(&done).await.unwrap()["state"], "SUCCEEDED", "what had ended can be read");

    hangs.store(false, Ordering::SeqCst);
    node.create_agent(&first()).await.unwrap();
    let again = node.submit("clerk", "three").await.unwrap();
    assert_eq!(node.ended(&again).await.unwrap()["state"], "SUCCEEDED");
    node.cli(&["agent", "stop", "clerk"]).await.unwrap();
    let models = client.get("/v1/models").await.unwrap().expect_status(200);
    assert_eq!(models["data"], json!([]), "a stopped agent is no model");
}
