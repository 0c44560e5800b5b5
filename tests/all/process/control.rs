//! Control gets through while a model call hangs.

use octopussy_tests::{AgentDirectory, Gate, ModelStub, NodeOptions, NodeRunner, Reply, eventually};
use serde_json::json;
use std::time::{Duration, Instant};

/// What "at once" means here: far less than any timeout of a model call, enough for a debug binary on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A node whose agent `busy` has one task in a model call that waits for the gate, and one task that waits for the agent.
async fn hanging_node() -> (NodeRunner, ModelStub, Gate, [String; 2]) {
    let gate = Gate::default();
    let held = gate.clone();
    let stub = ModelStub::scripted(move |_| Reply::Behind(held.clone(), "Free at last.".to_owned())).await.unwrap();
    let node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("busy", "").stateful()).await.unwrap();
    let tasks = [node.submit("busy", "first").await.unwrap(), node.submit("busy", "second").await.unwrap()];
    node.task_when(&tasks[0], "the task runs", |task| task["state"] == "RUNNING").await;
    eventually("the call is in flight", || async { (stub.calls() == 1).then_some(()) }).await;
    (node, stub, gate, tasks)
}

#[tokio::test]
async fn cancel_ends_a_running_and_a_waiting_task() {
    let (node, _stub, _gate, tasks) = hanging_node().await;
    let begun = Instant::now();
    for task in tasks.iter().rev() {
        let answer = node.rest().unwrap().post(&format!("/api/v1/tasks/{task}/cancel"), &json!({})).await.unwrap();
        assert!(matches!(answer.status, 200 | 202), "{}: {:#}", answer.status, answer.body);
        let ended = node.ended(task).await.unwrap();
        assert_eq!(ended["state"], "CANCELLED", "{ended:#}");
    }
    assert!(begun.elapsed() < AT_ONCE, "cancelling took {:?}", begun.elapsed());
    let again = node.rest().unwrap().post(&format!("/api/v1/tasks/{}/cancel", tasks[0]), &json!({})).await.unwrap();
    again.expect_problem(409, "OCTO-1303");
}

#[tokio::test]
async fn pause_keeps_the_work_and_resume_takes_it_up() {
    let (node, _stub, gate, tasks) = hanging_node().await;
    let begun = Instant::now();
    let client = node.rest().unwrap();
    client.post("/api/v1/agents/busy/pause", &json!({})).await.unwrap().expect_status(200);
    eventually("the agent is paused", || async {
        let agent = client.get("/api/v1/agents/busy").await.ok()?.body;
        (agent["state"] == "PAUSED").then_some(())
    })
    .await;
    assert!(begun.elapsed() < AT_ONCE, "pausing took {:?}", begun.elapsed());
    let third = node.submit("busy", "third").await.unwrap();
    for task in tasks.iter().chain([&third]) {
        let task = client.get(&format!("/api/v1/tasks/{task}")).await.unwrap().expect_status(200);
        assert_eq!(task["state"], "ACCEPTED", "a paused agent keeps its work: {task:#}");
    }
    gate.open();
    client.post("/api/v1/agents/busy/resume", &json!({})).await.unwrap().expect_status(200);
    for task in tasks.iter().chain([&third]) {
        let ended = node.ended(task).await.unwrap();
        assert_eq!((&ended["state"], &ended["attempts"]), (&json!("SUCCEEDED"), &json!(1)), "{ended:#}");
    }
}

#[tokio::test]
async fn stop_gives_every_task_an_end() {
    let (mut node, _stub, _gate, tasks) = hanging_node().await;
    let begun = Instant::now();
    let client = node.rest().unwrap();
    client.post("/api/v1/agents/busy/stop", &json!({})).await.unwrap().expect_status(200);
    for task in &tasks {
        let ended = node.ended(task).await.unwrap();
        assert!(["DEAD_LETTERED", "CANCELLED"].iter().any(|state| ended["state"] == *state), "{ended:#}");
    }
    assert!(begun.elapsed() < AT_ONCE, "stopping took {:?}", begun.elapsed());
    let refused = client.post("/api/v1/tasks", &json!({"agent": "busy", "input": "more"})).await.unwrap();
    refused.expect_problem(409, "OCTO-1204");
    node.restart_after_kill9().await.unwrap();
    let agent = node.rest().unwrap().get("/api/v1/agents/busy").await.unwrap().expect_status(200);
    assert_eq!(agent["state"], "STOPPED", "{agent:#}");
}
