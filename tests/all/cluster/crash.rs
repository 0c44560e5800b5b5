//! A node dies in the middle of a task, and the task goes on elsewhere.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, Reply, eventually};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const REFLECTION: &str = "reasoning:\n  pattern: reflection\n";

/// Kills the host of an agent while the second of three model calls is in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_goes_on_elsewhere_and_pays_no_finished_call_twice() {
    let (count, dead) = (AtomicU64::new(0), Arc::new(AtomicBool::new(false)));
    let after = dead.clone();
    let stub = ModelStub::scripted(move |_| {
        let call = count.fetch_add(1, Ordering::SeqCst) + 1;
        if call == 2 && !after.load(Ordering::SeqCst) { Reply::Hang } else { Reply::Text(format!("Answer {call}.")) }
    })
    .await
    .unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("thinker", REFLECTION)).await.unwrap();
    let host = cluster.host_of(0, "thinker").await.unwrap();
    let witness = (host + 1) % 3;
    let task = cluster.submit(witness, "thinker", "What is durable?", "crash").await;
    eventually("the second call is in flight", || async { (stub.calls() == 2).then_some(()) }).await;
    cluster.nodes[host].kill9().unwrap();
    dead.store(true, Ordering::SeqCst);
    let ended = cluster.ended(witness, &task).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
    let steps = ended["steps"].as_array().unwrap();
    assert_eq!(steps.iter().filter(|step| step["kind"] == "model").count(), 3, "{ended:#}");
    assert_eq!(stub.calls(), 4, "three calls and the one that was cut off");
    let mut bodies: HashMap<String, u32> = HashMap::new();
    for call in stub.recorded() {
        *bodies.entry(call.body["messages"].to_string()).or_default() += 1;
    }
    let mut repeats: Vec<u32> = bodies.into_values().collect();
    repeats.sort_unstable();
    assert_eq!(repeats, [1, 1, 2], "only the call that was cut off may have been repeated");
    assert_ne!(cluster.host_of(witness, "thinker").await.unwrap(), host);

    // It comes back, catches up, and answers for itself.
    cluster.nodes[host].launch().await.unwrap();
    cluster.settled().await;
    assert_eq!(cluster.ended(host, &task).await, ended);
}

/// The smaller side of a cluster takes nothing; the rest of it does not wait for a node that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_leader_falls_silent_and_wakes_up_as_a_follower() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    let host = cluster.host_of(0, "clerk").await.unwrap();
    let witness = (host + 1) % 3;
    cluster.nodes[host].freeze().unwrap();
    let task = cluster.submit(witness, "clerk", "How are you?", "frozen").await;
    let ended = cluster.ended(witness, &task).await;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
    cluster.nodes[host].thaw().unwrap();
    cluster.settled().await;
    assert_eq!(cluster.ended(host, &task).await, ended, "the node that was frozen has caught up");
}

/// One node of three left alone refuses writes, clearly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_survivor_refuses_writes_until_the_others_are_back() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("clerk", "")).await.unwrap();
    cluster.nodes[1].kill9().unwrap();
    cluster.nodes[2].kill9().unwrap();
    let rest = cluster.nodes[0].rest().unwrap();
    let body = serde_json::json!({"agent": "clerk", "input": "Anybody there?"});
    eventually("the survivor refuses", || async {
        let answer = rest.post("/api/v1/tasks", &body).await.ok()?;
        (answer.status == 503 && answer.body["detail"].as_str().is_some_and(|text| !text.is_empty())).then_some(())
    })
    .await;
    for node in [1, 2] {
        cluster.nodes[node].launch().await.unwrap();
    }
    cluster.settled().await;
    let task = cluster.submit(0, "clerk", "And now?", "again").await;
    assert_eq!(cluster.ended(2, &task).await["state"], "SUCCEEDED");
}
