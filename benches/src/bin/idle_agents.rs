//! A hundred thousand agents that do nothing: what they cost on disk and in memory, how long creating them takes, how long
//! the node takes to come back with them, and how soon one of them answers. The other side is the same node without them.
//!
//! `idle_agents [--agents 100000] [--connections 64] [--json FILE]`

use anyhow::{Context, Result, ensure};
use octopussy_benches::{Arguments, Report, folder_bytes, rss_kib};
use octopussy_tests::{AgentDirectory, NodeOptions, NodeRunner};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::task::JoinSet;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(&["agents", "connections", "json"])?;
    let agents: u64 = arguments.number("agents", 100_000)?;
    let report = Report::new("idle_agents", arguments.text("json"));
    let mut node = NodeRunner::start(NodeOptions::new().config("gateway:\n  tls: \"off\"\n")).await?;
    node.create_agent(&AgentDirectory::new("witness", "")).await?;
    ask(&node, "witness").await?;
    let empty_rss = rss(&node)?;
    let data = node.home().join("data");
    let empty_disk = folder_bytes(&data)?;
    report.row("without them", &[("rss_mib", empty_rss), ("disk_mib", empty_disk as f64 / 1_048_576.0)])?;

    let begun = Instant::now();
    create(&node, agents, arguments.number("connections", 64)?).await?;
    let seconds = begun.elapsed().as_secs_f64();
    report.row(
        "created through REST",
        &[("agents", agents as f64), ("seconds", seconds), ("per_second", agents as f64 / seconds)],
    )?;
    let full_rss = rss(&node)?;
    report.row("with them", &[("rss_mib", full_rss), ("over_empty_mib", full_rss - empty_rss)])?;

    node.sigterm().await?;
    let (state, log) = (file_bytes(&data, "state.redb")?, folder_bytes(&data.join("log"))? as f64);
    let per_agent = [
        ("all_bytes_per_agent", (folder_bytes(&data)? - empty_disk) as f64 / agents as f64),
        ("state_bytes_per_agent", state / agents as f64),
        ("log_bytes_per_agent", log / agents as f64),
    ];
    report.row("on disk after a stop", &per_agent)?;
    let begun = Instant::now();
    node.launch().await?;
    let ready = begun.elapsed().as_secs_f64() * 1e3;
    let rested = rss(&node)?;
    report.row(
        "started again with them",
        &[("ready_ms", ready), ("rss_mib", rested), ("over_empty", rested / empty_rss)],
    )?;
    let (first, second) = (ask(&node, &name(agents / 2)).await?, ask(&node, &name(agents / 2)).await?);
    report.row("an idle one answers", &[("first_ms", first), ("second_ms", second)])?;
    Ok(())
}

fn name(number: u64) -> String {
    format!("idle-{number}")
}

async fn create(node: &NodeRunner, agents: u64, connections: usize) -> Result<()> {
    let (client, next) = (node.rest()?, Arc::new(AtomicU64::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (client, next) = (client.clone(), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= agents {
                    return anyhow::Ok(());
                }
                let bundle = AgentDirectory::new(&name(number), "").bundle();
                let answer = client.post("/api/v1/agents", &bundle).await?;
                ensure!(answer.status == 201, "agent {number} was not created: {} {:#}", answer.status, answer.body);
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

/// Asks an agent; how long the answer took in milliseconds, without the making of the client.
async fn ask(node: &NodeRunner, agent: &str) -> Result<f64> {
    let client = node.rest()?;
    let warm = client.get("/health").await?;
    ensure!(warm.status == 200, "the node is not well: {}", warm.status);
    let begun = Instant::now();
    let body = json!({"agent": agent, "input": "The sky is blue. Which colour is the sky?"});
    let answer = client.post("/api/v1/tasks?wait=30s", &body).await?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    ensure!(answer.body["state"] == "SUCCEEDED", "{agent} did not answer: {} {:#}", answer.status, answer.body);
    Ok(took)
}

fn rss(node: &NodeRunner) -> Result<f64> {
    Ok(rss_kib(node.pid().context("the node does not run")?)? as f64 / 1024.0)
}

fn file_bytes(folder: &std::path::Path, name: &str) -> Result<f64> {
    use std::os::unix::fs::MetadataExt;
    Ok((folder.join(name).metadata().with_context(|| format!("no {name}"))?.blocks() * 512) as f64)
}
