//! Moving everything off a node under load.

use octopussy_tests::{AgentDirectory, ClusterRunner, ModelStub, NodeOptions, Reply, eventually};
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
