//! Random fault schedules under load, and the history checked after each.
//!
//! `FAULT_SCHEDULES` says how many (a few without it), `TEST_SEED` with which seed to begin; every schedule prints its own.

use octopussy_tests::{
    AgentDirectory, ClusterRunner, History, ModelStub, NodeOptions, NodeRunner, Reply, RestClient, Seeded, Submitted,
    eventually,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How many schedules are run when nobody asks for more.
const SCHEDULES: u64 = 2;
/// The agents; their shards lie on different nodes.
const AGENTS: usize = 6;
/// How many clients submit at once; each does so at another node.
const CLIENTS: usize = 3;

/// What happens to a node.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// `kill -9`.
    Kill,
    /// `SIGSTOP`, and `SIGCONT` when it is healed.
    Freeze,
    /// `SIGTERM`.
    Stop,
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_fault_schedules_leave_a_clean_history() {
    let first = from_environment("TEST_SEED", 0x0C70_9055);
    let schedules = from_environment("FAULT_SCHEDULES", SCHEDULES);
    let stub = ModelStub::scripted(|call| Reply::Text(format!("Re: {}", call.last_turn().trim()))).await.unwrap();
    let mut cluster = ClusterRunner::start(3, &NodeOptions::new().provider(&stub)).await.unwrap();
    for index in 0..AGENTS {
        cluster.create_agent(&AgentDirectory::on_stub(&format!("agent-{index}"), "")).await.unwrap();
    }
    for seed in first..first + schedules {
        println!("TEST_SEED={seed}");
        let acknowledged = schedule(&mut cluster, seed).await;
        println!("TEST_SEED={seed}: {acknowledged} acknowledged, clean");
    }
}

/// One schedule: load, faults, healing, check. Yields how many submissions were acknowledged.
async fn schedule(cluster: &mut ClusterRunner, seed: u64) -> usize {
    let mut random = Seeded::new(seed);
    let (history, done) = (Mutex::new(History::default()), AtomicBool::new(false));
    let clients: Vec<RestClient> = cluster.nodes.iter().map(|node| node.rest().unwrap()).collect();
    let load = futures::future::join_all((0..CLIENTS).map(|client| submit(client, seed, &clients, &history, &done)));
    let faults = async {
        for _ in 0..2 + random.below(3) {
            let enough = history.lock().unwrap().len() + usize::try_from(random.below(30)).unwrap();
            progress(&history, enough).await;
            // One node, or two: then the third must refuse, and lose nothing it has acknowledged.
            let victims = if random.below(4) == 0 { 2 } else { 1 };
            let from = usize::try_from(random.below(3)).unwrap();
            let mut hurt = Vec::new();
            for victim in (0..victims).map(|offset| (from + offset) % 3) {
                let fault =
                    [Fault::Kill, Fault::Kill, Fault::Freeze, Fault::Stop][usize::try_from(random.below(4)).unwrap()];
                println!("TEST_SEED={seed}: {fault:?} node {victim}");
                inflict(cluster, victim, fault).await;
                hurt.push((victim, fault));
            }
            // The time a fault lasts is part of the schedule: shorter and longer than an election.
            tokio::time::sleep(Duration::from_millis(50 + random.below(1_500))).await;
            for (victim, fault) in hurt {
                heal(cluster, victim, fault).await;
            }
        }
        let enough = history.lock().unwrap().len() + 5;
        progress(&history, enough).await;
        done.store(true, Ordering::Relaxed);
    };
    futures::join!(load, faults);
    cluster.settled().await;
    let history = history.into_inner().unwrap();
    let mut views: Vec<BTreeMap<String, Value>> = Vec::new();
    for node in 0..cluster.nodes.len() {
        let mut view = BTreeMap::new();
        for task in history.tasks() {
            view.insert(task.clone(), cluster.ended(node, &task).await);
        }
        views.push(view);
    }
    history.check(&views).unwrap_or_else(|wrong| panic!("TEST_SEED={seed}\n{}", wrong.join("\n")));
    agreed(cluster, seed).await;
    // A group that ends is started again, and its node is none the worse for it: nothing else would tell of it.
    let breakdowns: Vec<String> = cluster.nodes.iter().flat_map(NodeRunner::breakdowns).collect();
    assert!(breakdowns.is_empty(), "TEST_SEED={seed}: something broke down\n{}", breakdowns.join("\n"));
    history.len()
}

/// Every replica has made the same of the same entries: waits until all have applied everything, and compares.
async fn agreed(cluster: &ClusterRunner, seed: u64) {
    let rest = cluster.nodes[0].rest().unwrap();
    eventually("every replica tells what it has applied", || async {
        let digests = rest.get("/api/v1/cluster/digests").await.ok().filter(|answer| answer.status == 200)?.body;
        let groups = digests["groups"].as_array()?;
        let differ: Vec<&Value> = groups.iter().filter(|group| group["agree"] == false).collect();
        assert!(differ.is_empty(), "TEST_SEED={seed}: replicas differ: {differ:#?}");
        let whole = |group: &Value| group["replicas"].as_array().is_some_and(|replicas| replicas.len() == 3);
        let settled = groups.iter().all(|group| group["agree"] == true && whole(group));
        (settled && digests["silent"].as_array()?.is_empty()).then_some(())
    })
    .await;
}

async fn progress(history: &Mutex<History>, enough: usize) {
    eventually("submissions are acknowledged", || async { (history.lock().unwrap().len() >= enough).then_some(()) })
        .await;
}

async fn inflict(cluster: &mut ClusterRunner, victim: usize, fault: Fault) {
    let node = &mut cluster.nodes[victim];
    match fault {
        Fault::Kill => node.kill9().unwrap(),
        Fault::Freeze => node.freeze().unwrap(),
        Fault::Stop => {
            node.sigterm().await.unwrap();
        }
    }
}

async fn heal(cluster: &mut ClusterRunner, victim: usize, fault: Fault) {
    match fault {
        Fault::Kill | Fault::Stop => cluster.nodes[victim].launch().await.unwrap(),
        Fault::Freeze => cluster.nodes[victim].thaw().unwrap(),
    }
}

/// Submits tasks one after the other until told to end; repeats one whose answer is lost, elsewhere, with its key.
async fn submit(client: usize, seed: u64, clients: &[RestClient], history: &Mutex<History>, done: &AtomicBool) {
    for number in 0_usize.. {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let input = format!("{seed}-{client}-{number}");
        let body = json!({"agent": format!("agent-{}", number % AGENTS), "input": input});
        for attempt in 0_usize.. {
            let rest = &clients[(client + attempt) % clients.len()];
            let request = rest.request(reqwest::Method::POST, "/api/v1/tasks").json(&body);
            let request = request.header("idempotency-key", &input).timeout(Duration::from_secs(3));
            if let Ok(answer) = rest.send(request).await {
                if let (200 | 202, Some(task)) = (answer.status, answer.body["task_id"].as_str()) {
                    let submitted =
                        Submitted { key: input.clone(), task: task.to_owned(), expected: format!("Re: {input}") };
                    history.lock().unwrap().acknowledge(submitted);
                    break;
                }
                assert!(matches!(answer.status, 429 | 500..=599), "refused: {} {:#}", answer.status, answer.body);
            }
            if done.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
