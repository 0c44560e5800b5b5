//! Durable three-step runs, request to answer: an agent that drafts, reviews and revises, and beside it a Restate handler
//! with three durable steps, both driven by the same load generator at 1, 64 and 256 requests in flight.
//!
//! `durable_runs [--nodes 1] [--restate 127.0.0.1:28001] [--path /Svc/steps3] [--seconds 5] [--repeat 3] [--json FILE]`
//!
//! With more than one node, every step is on the disks of a majority before the next one starts; requests go to one node, as
//! they go to one ingress of Restate's, and the agents are spread over all of them.
//!
//! Restate is not part of this repository: start its server and a service with a handler of three `ctx.run` steps, register
//! it, and name the ingress here. A `{n}` in the path becomes the request's number (for keyed handlers). Without `--restate`
//! only our side is measured.

use anyhow::Result;
use octopussy_benches::{
    Arguments, HttpTarget, Load, Report, closed_loop, cpu_seconds, median, rss_kib, three_step_agent, three_step_target,
};
use octopussy_tests::{ClusterRunner, NodeOptions, NodeRunner};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Requests in flight.
const IN_FLIGHT: [usize; 3] = [1, 64, 256];

/// Agents the runs are spread over, so that no agent's own parallelism is what is measured.
const AGENTS: u64 = 64;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(&["nodes", "restate", "path", "seconds", "repeat", "json"])?;
    let seconds = Duration::from_secs(arguments.number("seconds", 5)?);
    let repeat: usize = arguments.number("repeat", 3)?;
    let report = Report::new("durable_runs", arguments.text("json"));
    let nodes: usize = arguments.number("nodes", 1)?;
    let cluster =
        ClusterRunner::start_with(nodes, &NodeOptions::new().config("gateway:\n  tls: \"off\"\n"), "").await?;
    let node = &cluster.nodes[0];
    for agent in 0..AGENTS {
        node.create_agent(&three_step_agent(agent)).await?;
    }
    let ours = three_step_target(node, AGENTS)?;
    let restate = arguments.text("restate").map(|address| restate_target(address, arguments.text("path")));
    if restate.is_none() {
        report.note("no --restate: only our side is measured")?;
    }
    let processes: Vec<u32> = cluster.nodes.iter().filter_map(NodeRunner::pid).collect();
    let all_cpu = || processes.iter().map(|&process| cpu_seconds(process)).sum::<Result<f64>>();
    let all_rss = || processes.iter().map(|&process| rss_kib(process)).sum::<Result<u64>>();
    let numbers = Arc::new(AtomicU64::new(0));
    for in_flight in IN_FLIGHT {
        let cpu = all_cpu()?;
        let (rate, p50, runs) = measure(&report, "octopussy", &ours, in_flight, seconds, repeat, &numbers).await?;
        let cpu_us = (all_cpu()? - cpu) * 1e6 / runs.max(1.0);
        report.row(
            &format!("octopussy cpu, {in_flight} in flight"),
            &[("us_per_run", cpu_us), ("rss_mib", all_rss()? as f64 / 1024.0)],
        )?;
        if let Some(restate) = &restate {
            let (other_rate, other_p50, _) =
                measure(&report, "restate", restate, in_flight, seconds, repeat, &numbers).await?;
            let ratios = [("rate_over_restate", rate / other_rate), ("p50_over_restate", p50 / other_p50)];
            report.row(&format!("ratio, {in_flight} in flight"), &ratios)?;
        }
    }
    Ok(())
}

/// The median rate, the median p50, and how many runs there were in all, warm-up included.
async fn measure(
    report: &Report,
    who: &str,
    target: &Arc<HttpTarget>,
    in_flight: usize,
    seconds: Duration,
    repeat: usize,
    numbers: &Arc<AtomicU64>,
) -> Result<(f64, f64, f64)> {
    let mut all: Vec<Load> = vec![closed_loop(target, in_flight, Duration::from_secs(1), numbers).await?];
    for _ in 0..repeat {
        all.push(closed_loop(target, in_flight, seconds, numbers).await?);
    }
    let runs = all.iter().map(|load| load.samples.count() as f64).sum();
    let measured = &all[1..];
    let of = |value: &dyn Fn(&Load) -> f64| median(measured.iter().map(value).collect());
    let (rate, p50) = (of(&|load| load.per_second), of(&|load| load.samples.percentile_ms(50)));
    let (p99, failed) =
        (of(&|load| load.samples.percentile_ms(99)), measured.iter().map(|load| load.failed).sum::<u64>());
    if let Some(failure) = measured.iter().find_map(|load| load.first_failure.as_ref()) {
        report.note(&format!("{who}: first failure: {failure}"))?;
    }
    let values = [("per_second", rate), ("p50_ms", p50), ("p99_ms", p99), ("failed", failed as f64)];
    report.row(&format!("{who}, {in_flight} in flight"), &values)?;
    Ok((rate, p50, runs))
}

fn restate_target(address: &str, path: Option<&str>) -> Arc<HttpTarget> {
    let path = path.unwrap_or("/Svc/steps3").to_owned();
    Arc::new(HttpTarget {
        address: address.to_owned(),
        request: Box::new(move |number| {
            (format!("POST {}", path.replace("{n}", &number.to_string())), "\"x\"".to_owned())
        }),
        headers: "content-type: application/json\r\n".to_owned(),
        accept: Box::new(|status, body| status == 200 && body == b"\"x\""),
    })
}
