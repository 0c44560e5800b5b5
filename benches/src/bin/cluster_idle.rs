//! What a node of an idle cluster costs: memory and processor time, in clusters of one, three and eight nodes.
//!
//! `cluster_idle [--sizes 1,3,8] [--seconds 20] [--json FILE]`

use anyhow::{Context, Result};
use octopussy_benches::{Arguments, Report, cpu_seconds, rss_kib};
use octopussy_tests::{ClusterRunner, NodeOptions, NodeRunner};
use std::time::Duration;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(&["sizes", "seconds", "json"])?;
    let seconds: u64 = arguments.number("seconds", 20)?;
    let report = Report::new("cluster_idle", arguments.text("json"));
    let mut alone = None;
    for size in arguments.text("sizes").unwrap_or("1,3,8").split(',') {
        let size: usize = size.parse().with_context(|| format!("--sizes: '{size}' is not a number"))?;
        let cluster = ClusterRunner::start_with(size, &NodeOptions::new(), "").await?;
        let processes: Vec<u32> = cluster.nodes.iter().filter_map(NodeRunner::pid).collect();
        // What starting and settling cost has passed when the window begins.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = total(&processes)?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let cpu = (total(&processes)? - before) / seconds as f64 / size as f64;
        let rss = processes.iter().map(|&process| rss_kib(process)).sum::<Result<u64>>()? as f64 / 1024.0 / size as f64;
        let first = *alone.get_or_insert(rss);
        report.row(
            &format!("{size} nodes, each"),
            &[("rss_mib", rss), ("cpu_percent_of_a_core", cpu * 100.0), ("rss_over_first", rss / first)],
        )?;
    }
    Ok(())
}

fn total(processes: &[u32]) -> Result<f64> {
    processes.iter().map(|&process| cpu_seconds(process)).sum()
}
