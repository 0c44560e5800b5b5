//! What more nodes bring: durable three-step runs a second on 1, 2, 4 and 8 nodes, each capped to a part of a core, so that a
//! two-core machine can hold them all.
//!
//! `scaling [--sizes 1,2,4,8] [--cap 20] [--seconds 10] [--json FILE]`
//!
//! `--cap` is each node's share of a core, in percent (cgroup v1 or v2, root only). A single node writes everything once, a cluster
//! of four three times: the ratio to the smallest replicated cluster is printed beside the ratio to one node.

use anyhow::{Context, Result, bail};
use octopussy_benches::{Arguments, Report, closed_loop, three_step_agent, three_step_target};
use octopussy_tests::{ClusterRunner, NodeOptions, NodeRunner};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

const AGENTS: u64 = 128;
/// Requests in flight for each node.
const IN_FLIGHT: usize = 32;
/// The period of the quota, in microseconds.
const PERIOD: u64 = 20_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(&["sizes", "cap", "seconds", "json"])?;
    let (cap, seconds): (u64, u64) = (arguments.number("cap", 20)?, arguments.number("seconds", 10)?);
    let report = Report::new("scaling", arguments.text("json"));
    let (mut alone, mut replicated) = (None, None);
    for size in arguments.text("sizes").unwrap_or("1,2,4,8").split(',') {
        let size: usize = size.parse().with_context(|| format!("--sizes: '{size}' is not a number"))?;
        let cluster =
            ClusterRunner::start_with(size, &NodeOptions::new().config("gateway:\n  tls: \"off\"\n"), "").await?;
        for agent in 0..AGENTS {
            cluster.create_agent(&three_step_agent(agent)).await?;
        }
        let caps = cluster.nodes.iter().map(|node| Cap::new(node, cap)).collect::<Result<Vec<_>>>()?;
        let numbers = Arc::new(AtomicU64::new(0));
        let mut loads = Vec::new();
        for (measured, seconds) in [(false, 2), (true, seconds)] {
            let targets =
                cluster.nodes.iter().map(|node| three_step_target(node, AGENTS)).collect::<Result<Vec<_>>>()?;
            let runs =
                targets.iter().map(|target| closed_loop(target, IN_FLIGHT, Duration::from_secs(seconds), &numbers));
            let done = futures::future::try_join_all(runs).await?;
            if measured {
                loads = done;
            }
        }
        drop(caps);
        let rate: f64 = loads.iter().map(|load| load.per_second).sum();
        let failed: u64 = loads.iter().map(|load| load.failed).sum();
        let first = *alone.get_or_insert(rate / size as f64);
        let mut values = vec![
            ("per_second", rate),
            ("per_node", rate / size as f64),
            ("of_linear_from_one", rate / size as f64 / first),
            ("failed", failed as f64),
        ];
        if size >= 3 {
            let base = *replicated.get_or_insert(rate / size as f64);
            values.push(("of_linear_from_first_replicated", rate / size as f64 / base));
        }
        report.row(&format!("{size} nodes of {cap} % of a core"), &values)?;
    }
    Ok(())
}

/// A control group that holds one process to its share; removed when dropped, after the process has been let go.
struct Cap {
    folder: PathBuf,
    process: u32,
}

impl Cap {
    fn new(node: &NodeRunner, percent: u64) -> Result<Self> {
        let process = node.pid().context("the node does not run")?;
        let quota = percent * PERIOD / 100;
        let (v1, v2) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let name = format!("octopussy-scaling-{process}");
        let write = |path: PathBuf, text: String| {
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        let folder = if v1.join("cpu.cfs_quota_us").exists() || v1.is_dir() { v1.join(name) } else { v2.join(name) };
        if let Err(error) = std::fs::create_dir(&folder) {
            bail!("cannot create {}: {error} (root is needed)", folder.display());
        }
        if folder.join("cpu.cfs_quota_us").exists() {
            write(folder.join("cpu.cfs_period_us"), PERIOD.to_string())?;
            write(folder.join("cpu.cfs_quota_us"), quota.to_string())?;
        } else {
            write(folder.join("cpu.max"), format!("{quota} {PERIOD}"))?;
        }
        write(folder.join("cgroup.procs"), process.to_string())?;
        Ok(Self { folder, process })
    }
}

impl Drop for Cap {
    fn drop(&mut self) {
        if let Some(parent) = self.folder.parent() {
            let _ = std::fs::write(parent.join("cgroup.procs"), self.process.to_string());
        }
        let _ = std::fs::remove_dir(&self.folder);
    }
}
