//! The leader is killed with -9: how long until its agents' tasks go on elsewhere, and what is lost or done twice.
//!
//! `failover [--kills 50] [--clients 8] [--timings fast] [--json FILE]`
//!
//! Three nodes under a constant load of three-step runs; the node that hosts the probe agent is killed while a task of that
//! agent is in flight, over and over, and started again in between. Timed from the kill to the first end of a probe task that
//! was accepted before it, as another node tells it. With `--timings lan` the elections take what they take by default.

use anyhow::{Context, Result, ensure};
use octopussy_benches::{Arguments, Report, Samples, three_step_agent};
use octopussy_tests::{ClusterRunner, NodeOptions, RestClient};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const AGENTS: u64 = 24;
/// The agent whose host is killed.
const PROBE: &str = "worker-0";
/// How many tasks wait for the probe when its host dies: some in the middle, some not begun.
const IN_FLIGHT: usize = 16;
/// Longer than any recovery may take.
const GIVE_UP: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(&["kills", "clients", "timings", "json"])?;
    let kills: usize = arguments.number("kills", 50)?;
    let clients: usize = arguments.number("clients", 8)?;
    let timings = arguments.text("timings").unwrap_or("fast");
    let report = Report::new("failover", arguments.text("json"));
    let section = format!("cluster:\n  timings: {timings}\n");
    let options = NodeOptions::new().config("gateway:\n  tls: \"off\"\n");
    let mut cluster = ClusterRunner::start_with(3, &options, &section).await?;
    for agent in 0..AGENTS {
        cluster.create_agent(&three_step_agent(agent)).await?;
    }
    let rests: Arc<Vec<RestClient>> =
        Arc::new(cluster.nodes.iter().map(octopussy_tests::NodeRunner::rest).collect::<Result<_>>()?);
    let (done, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let refused = Arc::new(AtomicU64::new(0));
    let load: Vec<_> = (0..clients)
        .map(|client| {
            let (rests, done, accepted) = (Arc::clone(&rests), Arc::clone(&done), Arc::clone(&accepted));
            tokio::spawn(load(client, rests, done, accepted, Arc::clone(&refused)))
        })
        .collect();
    let mut recoveries = Vec::new();
    for kill in 0..kills {
        let victim = cluster.host_of(0, PROBE).await?;
        let witness = &rests[(victim + 1) % 3];
        let mut probes = Vec::new();
        for probe in 0..IN_FLIGHT {
            probes.push(
                submit(witness, PROBE, &format!("probe-{kill}-{probe}")).await.context("a probe was not accepted")?,
            );
        }
        cluster.nodes[victim].kill9()?;
        let killed = Instant::now();
        recoveries.push(first_end(witness, &probes, killed).await?);
        accepted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(probes);
        cluster.nodes[victim].launch().await?;
        cluster.settled().await;
    }
    done.store(true, Ordering::Relaxed);
    for client in load {
        client.await?;
    }
    let accepted = std::mem::take(&mut *accepted.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let (mut lost, mut doubled) = (0.0, 0.0);
    for task in &accepted {
        let task = ended(&rests[0], task).await?;
        lost += f64::from(u8::from(task["state"] != "SUCCEEDED"));
        let steps = task["steps"].as_array().map_or(0, Vec::len);
        doubled += f64::from(u8::from(steps != 4 && steps != 3));
    }
    let samples = Samples::new(recoveries);
    report.row(
        &format!("{kills} kills, timings {timings}"),
        &[
            ("p50_ms", samples.percentile_ms(50)),
            ("p90_ms", samples.percentile_ms(90)),
            ("max_ms", samples.percentile_ms(100)),
            ("accepted", accepted.len() as f64),
            ("lost", lost),
            ("doubled", doubled),
            ("refused_meanwhile", refused.load(Ordering::Relaxed) as f64),
        ],
    )?;
    report.row(
        "ratio to the goals (1 s, 2 s)",
        &[
            ("p50_over_goal", samples.percentile_ms(50) / 1_000.0),
            ("max_over_goal", samples.percentile_ms(100) / 2_000.0),
        ],
    )?;
    Ok(())
}

async fn submit(rest: &RestClient, agent: &str, input: &str) -> Option<String> {
    let body = json!({"agent": agent, "input": input});
    let request = rest.request(reqwest::Method::POST, "/api/v1/tasks").json(&body);
    let request = request.header("idempotency-key", input).timeout(Duration::from_secs(5));
    let answer = rest.send(request).await.ok()?;
    matches!(answer.status, 200 | 202).then(|| answer.body["task_id"].as_str().map(str::to_owned)).flatten()
}

async fn load(
    client: usize,
    rests: Arc<Vec<RestClient>>,
    done: Arc<AtomicBool>,
    accepted: Arc<Mutex<BTreeSet<String>>>,
    refused: Arc<AtomicU64>,
) {
    for number in 0_usize.. {
        let key = format!("load-{client}-{number}");
        let agent = format!("worker-{}", number as u64 % AGENTS);
        for attempt in 0_usize.. {
            if done.load(Ordering::Relaxed) {
                return;
            }
            if let Some(task) = submit(&rests[(client + attempt) % rests.len()], &agent, &key).await {
                accepted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(task);
                break;
            }
            refused.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // A steady load, not a saturating one: what is measured is recovery, not queueing.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn first_end(rest: &RestClient, probes: &[String], killed: Instant) -> Result<Duration> {
    let before: BTreeSet<&String> = {
        let mut ended = BTreeSet::new();
        for probe in probes {
            // What had ended before the kill says nothing; it is not known better than by asking at once.
            if killed.elapsed() < Duration::from_millis(50)
                && let Ok(answer) =
                    tokio::time::timeout(Duration::from_millis(5), rest.get(&format!("/api/v1/tasks/{probe}"))).await
                && answer.is_ok_and(|answer| answer.body["state"] == "SUCCEEDED")
            {
                ended.insert(probe);
            }
        }
        ended
    };
    loop {
        for probe in probes.iter().filter(|probe| !before.contains(probe)) {
            let asked = rest
                .request(reqwest::Method::GET, &format!("/api/v1/tasks/{probe}"))
                .timeout(Duration::from_millis(200));
            if let Ok(answer) = rest.send(asked).await
                && answer.body["state"] == "SUCCEEDED"
            {
                return Ok(killed.elapsed());
            }
        }
        ensure!(killed.elapsed() < GIVE_UP, "no task of the probe went on within {GIVE_UP:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn ended(rest: &RestClient, task: &str) -> Result<Value> {
    let answer = rest.get(&format!("/api/v1/tasks/{task}?wait=30s")).await?;
    ensure!(answer.status == 200, "task {task}: {} {:#}", answer.status, answer.body);
    Ok(answer.body)
}
