//! kill -9 at inconvenient moments.

use octopussy_tests::{AgentDirectory, Gate, ModelStub, NodeOptions, NodeRunner, Reply, Seeded, eventually};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const REFLECTION: &str = "reasoning:\n  pattern: reflection\n";

/// Kills the node while the model call number `hanging` (from 1) of a three-call task is in flight, and checks that the
/// calls before it are not made again.
async fn crash_in_call(hanging: u64) {
    let (count, after_crash) = (AtomicU64::new(0), std::sync::Arc::new(AtomicBool::new(false)));
    let crashed = after_crash.clone();
    let stub = ModelStub::scripted(move |_| {
        let call = count.fetch_add(1, Ordering::SeqCst) + 1;
        if call == hanging && !crashed.load(Ordering::SeqCst) {
            Reply::Hang
        } else {
            Reply::Text(format!("Answer {call}."))
        }
    })
    .await
    .unwrap();
    let mut node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("thinker", REFLECTION)).await.unwrap();
    let task = node.submit("thinker", "What is durable?").await.unwrap();
    let journaled = usize::try_from(hanging - 1).unwrap();
    node.task_when(&task, "the calls before are journaled", |task| model_steps(task) == journaled).await;
    eventually("the call is in flight", || async { (stub.calls() == hanging).then_some(()) }).await;
    node.kill9().unwrap();
    after_crash.store(true, Ordering::SeqCst);
    node.launch().await.unwrap();
    let ended = node.ended(&task).await.unwrap();
    assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
    assert_eq!(model_steps(&ended), 3, "{ended:#}");
    assert_eq!(stub.calls(), 4, "three calls and the one that was cut off");
    let mut bodies: HashMap<String, u32> = HashMap::new();
    for call in stub.recorded() {
        *bodies.entry(call.body["messages"].to_string()).or_default() += 1;
    }
    let mut repeats: Vec<u32> = bodies.into_values().collect();
    repeats.sort_unstable();
    assert_eq!(repeats, [1, 1, 2], "only the call that was cut off may have been repeated");
    let by_epoch: Vec<&serde_json::Value> =
        ended["steps"].as_array().unwrap().iter().map(|step| &step["epoch"]).collect();
    assert_ne!(by_epoch.first(), by_epoch.last(), "the last step was done under the new leadership: {ended:#}");
}

fn model_steps(task: &serde_json::Value) -> usize {
    task["steps"].as_array().map_or(0, |steps| steps.iter().filter(|step| step["kind"] == "model").count())
}

#[tokio::test]
async fn a_crash_in_the_second_call_does_not_repeat_the_first() {
    crash_in_call(2).await;
}

#[tokio::test]
async fn a_crash_in_the_third_call_does_not_repeat_the_first_two() {
    crash_in_call(3).await;
}

const ROUNDS: u64 = 5;
const SUBMITTERS: u64 = 8;
const AGENTS: [&str; 3] = ["ant", "bee", "cat"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_task_ends_however_often_the_node_is_killed() {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x0C70_9055);
    println!("TEST_SEED={seed}");
    let mut random = Seeded::new(seed);
    let stub =
        ModelStub::scripted(|call| Reply::Text(format!("Re: {}", marker(&call.body.to_string())))).await.unwrap();
    let mut node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    for agent in AGENTS {
        node.create_agent(&AgentDirectory::on_stub(agent, "")).await.unwrap();
    }
    let acknowledged: Mutex<Vec<(String, String)>> = Mutex::default();
    for round in 0..ROUNDS {
        let enough = acknowledged.lock().unwrap().len() + 40 + usize::try_from(random.below(80)).unwrap();
        let client = node.rest().unwrap();
        let submitters = (0..SUBMITTERS).map(|submitter| {
            let (client, acknowledged) = (client.clone(), &acknowledged);
            async move {
                for number in 0_u64.. {
                    let input = format!("say <{round}-{submitter}-{number}> please");
                    let agent = AGENTS[usize::try_from(number).unwrap() % AGENTS.len()];
                    let Ok(answer) = client.post("/api/v1/tasks", &json!({"agent": agent, "input": input})).await
                    else {
                        return; // the node is dead
                    };
                    if answer.status == 202 {
                        let id = answer.body["task_id"].as_str().unwrap().to_owned();
                        acknowledged.lock().unwrap().push((id, marker(&input)));
                    }
                }
            }
        });
        let killer = async {
            eventually("enough tasks are acknowledged", || async {
                (acknowledged.lock().unwrap().len() >= enough).then_some(())
            })
            .await;
            node.kill9().unwrap();
        };
        futures::join!(futures::future::join_all(submitters), killer);
        node.launch().await.unwrap();
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= 200, "too few tasks to say anything: {}", acknowledged.len());
    for (task, marker) in &acknowledged {
        let ended = node.ended(task).await.unwrap();
        assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
        assert_eq!(ended["result"], format!("Re: {marker}"), "the answer belongs to another task");
        assert_eq!(ended["attempts"], 1, "that its process was killed is no failure of a task: {ended:#}");
    }
}

/// What stands between `<` and `>` last.
fn marker(text: &str) -> String {
    text.rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or_else(String::new, |(inner, _)| inner.to_owned())
}

#[tokio::test]
async fn sigterm_hands_running_work_back_and_the_next_start_finishes_it() {
    let gate = Gate::default();
    let held = gate.clone();
    let stub = ModelStub::scripted(move |_| Reply::Behind(held.clone(), "Done.".to_owned())).await.unwrap();
    let mut node = NodeRunner::start(NodeOptions::new().provider(&stub)).await.unwrap();
    node.create_agent(&AgentDirectory::on_stub("patient", "")).await.unwrap();
    let running = node.submit("patient", "first").await.unwrap();
    let waiting = node.submit("patient", "second").await.unwrap();
    node.task_when(&running, "the first runs", |task| task["state"] == "RUNNING").await;
    eventually("the call is in flight", || async { (stub.calls() >= 1).then_some(()) }).await;
    let status = node.sigterm().await.unwrap();
    assert!(status.success(), "a graceful stop ends with {status}");
    assert!(!node.home().join("run/node.json").exists(), "the stopped node left its pid file");
    assert!(!node.log().contains("ERROR"), "a graceful stop tells of an error:\n{}", node.log());
    gate.open();
    node.launch().await.unwrap();
    for task in [running, waiting] {
        let ended = node.ended(&task).await.unwrap();
        assert_eq!(ended["state"], "SUCCEEDED", "{ended:#}");
        assert_eq!(ended["attempts"], 1, "handing back does not count as an attempt: {ended:#}");
    }
}
