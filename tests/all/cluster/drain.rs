//! Moving everything off a node under load.

use octopussy_tests::{AgentDirectory, ClusterRunner, Gate, ModelStub, NodeOptions, Reply, eventually};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_empties_a_node_without_one_failed_request() {
    let stub = ModelStub::scripted(|_| Reply::Text("Fine.".to_owned())).await.unwrap();
    let options = NodeOptions::new().provider(&stub);
    let cluster = ClusterRunner::start(4, &options).await.unwrap();
    for index in 0..8 {
        cluster.create_agent(&AgentDirectory::on_stub(&format!("agent-{index}"), "")).await.unwrap();
    }
    let (done, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let load = |client: usize| {
        let (cluster, done, sent) = (&cluster, &done, &sent);
        async move {
            let rest = cluster.nodes[client % 3].rest().unwrap();
            let mut tasks = Vec::new();
            for number in 0_u64.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let body = json!({"agent": format!("agent-{}", number % 8), "input": format!("{client}-{number}")});
                let answer = rest.post("/api/v1/tasks", &body).await.unwrap();
                assert_eq!(answer.status, 202, "a request failed while a node was drained: {:#}", answer.body);
                sent.fetch_add(1, Ordering::Relaxed);
                tasks.push(answer.body["task_id"].as_str().unwrap().to_owned());
            }
            tasks
        }
    };
    let drain = async {
        eventually("there is load", || async { (sent.load(Ordering::Relaxed) > 50).then_some(()) }).await;
        let leaving = cluster.id_of(3).await.unwrap();
        let drained = cluster.nodes[0].cli(&["cluster", "drain", &leaving]).await.unwrap();
        assert!(drained.status.success(), "{}", drained.text());
        eventually("nothing is on the node", || async {
            let ring = cluster.nodes[0].rest().ok()?.get("/api/v1/cluster/ring").await.ok()?.body;
            let rows = ring["items"].as_array()?;
            let holds = |row: &serde_json::Value| {
                ["voters", "learners", "moving_to"]
                    .iter()
                    .any(|field| row[field].as_array().is_some_and(|ids| ids.iter().any(|id| *id == leaving.as_str())))
                    || row["moving_to"].as_array().is_some_and(|moves| !moves.is_empty())
            };
            (!rows.iter().any(holds)).then_some(())
        })
        .await;
        done.store(true, Ordering::Relaxed);
    };
    let (tasks, ()) = futures::join!(futures::future::join_all((0..3).map(load)), drain);
    for task in tasks.into_iter().flatten() {
        assert_eq!(cluster.ended(0, &task).await["state"], "SUCCEEDED");
    }
}

/// A call that is under way is paid for: whoever drains its node waits for it, and whoever changes his mind has changed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_is_taken_back_twice_cuts_no_call_off() {
    let gate = Gate::default();
    let held = gate.clone();
    let stub = ModelStub::scripted(move |_| Reply::Behind(held.clone(), "Done.".to_owned())).await.unwrap();
    let cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    cluster.create_agent(&AgentDirectory::on_stub("patient", "")).await.unwrap();
    let host = cluster.host_of(0, "patient").await.unwrap();
    let (asked, leaving) = ((host + 1) % 3, cluster.id_of(host).await.unwrap());
    let busy = cluster.place_of(asked, "patient").await.unwrap()["shard"].clone();
    let task = cluster.submit(asked, "patient", "Take your time.", "drained").await;
    eventually("the call is in flight", || async { (stub.calls() == 1).then_some(()) }).await;
    for _ in 0..2 {
        let drained = cluster.nodes[asked].cli(&["cluster", "drain", &leaving]).await.unwrap();
        assert!(drained.status.success(), "{}", drained.text());
        eventually("everything else has another leader", || async {
            let ring = cluster.nodes[asked].rest().ok()?.get("/api/v1/cluster/ring").await.ok()?.body;
            let mut led = ring["items"].as_array()?.iter().filter(|row| row["leader"] == leaving.as_str());
            led.all(|row| row["shard"] == busy).then_some(())
        })
        .await;
        let back = cluster.nodes[asked].cli(&["cluster", "drain", &leaving, "--undo"]).await.unwrap();
        assert!(back.status.success(), "{}", back.text());
    }
    gate.open();
    let ended = cluster.ended(asked, &task).await;
    assert_eq!(
        (&ended["state"], &ended["attempts"], &ended["begun"]),
        (&json!("SUCCEEDED"), &json!(1), &json!(1)),
        "{ended:#}"
    );
    assert_eq!(stub.calls(), 1, "the model was asked once");
}
