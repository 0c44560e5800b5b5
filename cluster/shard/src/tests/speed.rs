//! How fast a node alone is. Ignored, since the figures mean something on a quiet machine and in release only.

use super::support::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo test --release -p octopussy-shard speed -- --ignored --nocapture"]
async fn runs_alone_and_together() {
    let dir = tempfile::tempdir().unwrap();
    let node = Arc::new(open(dir.path()).await);
    let mut agents = Vec::new();
    for number in 0..16 {
        agents.push(node.create(&format!("agent-{number}")).await);
    }
    let mut alone: Vec<Duration> = Vec::new();
    for _ in 0..300 {
        let begun = Instant::now();
        node.accept_one(agents[0]).await;
        alone.push(begun.elapsed());
    }
    alone.sort_unstable();
    println!("one commit alone: p50 {:?}, p99 {:?}", alone[150], alone[297]);
    let begun = Instant::now();
    let runners = (0..64).map(|runner: usize| {
        let (node, agent) = (Arc::clone(&node), agents[runner % agents.len()]);
        tokio::spawn(async move {
            for _ in 0..20 {
                node.run(agent).await;
            }
        })
    });
    futures::future::join_all(runners).await;
    println!("runs of four commits, 64 in flight: {:.0}/s", 64.0 * 20.0 / begun.elapsed().as_secs_f64());
}
