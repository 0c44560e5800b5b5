//! A restart of every node, one after the other, while work goes on; also from another build to this one.

use octopussy_tests::{AgentDirectory, ClusterRunner, History, ModelStub, NodeOptions, Reply, Submitted, binary};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

async fn roll(options: NodeOptions, to: Option<PathBuf>) {
    let stub = ModelStub::scripted(|call| Reply::Text(format!("Re: {}", call.last_turn().trim()))).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &options.provider(&stub)).await.unwrap();
    for index in 0..4 {
        cluster.create_agent(&AgentDirectory::on_stub(&format!("agent-{index}"), "")).await.unwrap();
    }
    let (history, done) = (Mutex::new(History::default()), AtomicBool::new(false));
    let clients: Vec<_> = cluster.nodes.iter().map(|node| node.rest().unwrap()).collect();
    let load = async {
        for number in 0_usize.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let (agent, input, key) =
                (format!("agent-{}", number % 4), format!("number {number}"), format!("roll-{number}"));
            // A client that knows all nodes: whichever answers.
            for attempt in 0_usize.. {
                let rest = &clients[(number + attempt) % 3];
                let body = json!({"agent": agent, "input": input});
                let request =
                    rest.request(reqwest::Method::POST, "/api/v1/tasks").json(&body).header("idempotency-key", &key);
                if let Ok(answer) = rest.send(request).await
                    && matches!(answer.status, 200 | 202)
                {
                    let task = answer.body["task_id"].as_str().unwrap().to_owned();
                    history.lock().unwrap().acknowledge(Submitted { key, task, expected: format!("Re: {input}") });
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    };
    let roll = async {
        for index in 0..3 {
            let status = cluster.nodes[index].sigterm().await.unwrap();
            assert!(status.success(), "a graceful stop ends with {status}");
            if let Some(binary) = &to {
                cluster.nodes[index].set_binary(binary);
            }
            cluster.nodes[index].launch().await.unwrap();
            cluster.settled().await;
        }
        done.store(true, Ordering::Relaxed);
    };
    futures::join!(load, roll);
    let history = history.into_inner().unwrap();
    assert!(history.len() > 20, "hardly any load: {}", history.len());
    let mut views: Vec<BTreeMap<String, Value>> = Vec::new();
    for node in 0..3 {
        let mut view = BTreeMap::new();
        for task in history.tasks() {
            view.insert(task.clone(), cluster.ended(node, &task).await);
        }
        views.push(view);
    }
    history.check(&views).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_is_restarted_in_turn_and_nothing_is_lost() {
    roll(NodeOptions::new(), None).await;
}

/// `OCTOPUSSY_PREVIOUS_BIN` names a binary of an earlier commit; the cluster is upgraded from it, node by node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_upgraded_node_by_node() {
    let Some(previous) = std::env::var_os("OCTOPUSSY_PREVIOUS_BIN") else {
        println!("skipped: OCTOPUSSY_PREVIOUS_BIN names no binary of an earlier commit");
        return;
    };
    roll(NodeOptions::new().binary(&PathBuf::from(previous)), Some(binary().unwrap())).await;
}
