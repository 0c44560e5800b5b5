//! A node as an agent host: size of the binary, time to ready, resident memory when idle and after a thousand turns, and
//! turns through REST against a model that answers at once. The other side is that model asked directly: what a turn costs
//! over it is what durability, security and the run of an agent cost.
//!
//! `agent_host [--seconds 3] [--starts 5] [--idle 10] [--json FILE]`

use anyhow::{Context, Result, ensure};
use octopussy_benches::{Arguments, HttpTarget, Load, Report, closed_loop, cpu_seconds, median, rss_kib};
use octopussy_tests::{AgentDirectory, ModelStub, NodeOptions, NodeRunner};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Turns after which memory is looked at again.
const TURNS: u64 = 1_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(&["seconds", "starts", "idle", "json"])?;
    let seconds = Duration::from_secs(arguments.number("seconds", 3)?);
    let report = Report::new("agent_host", arguments.text("json"));
    let stub = ModelStub::instant().await?;
    let options = NodeOptions::new().provider(&stub).config("gateway:\n  tls: \"off\"\n");
    let mut node = NodeRunner::prepare(options).await?;
    let bytes = node.binary().metadata()?.len();
    report.row("binary", &[("mib", bytes as f64 / 1_048_576.0)])?;

    let mut ready = Vec::new();
    for start in 0..arguments.number("starts", 5)? {
        if start > 0 {
            node.sigterm().await?;
        }
        ready.push(until_ready(&mut node).await?);
    }
    report.row(
        "ready",
        &[("first_ms", ready[0]), ("median_ms", median(ready.clone())), ("starts", ready.len() as f64)],
    )?;
    let process = node.pid().context("the node does not run")?;
    node.create_agent(&AgentDirectory::on_stub("echo", "")).await?;
    let idle_seconds: u64 = arguments.number("idle", 10)?;
    tokio::time::sleep(Duration::from_secs(idle_seconds)).await;
    let (cpu, idle) = (cpu_seconds(process)?, rss_kib(process)?);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let cpu_percent = (cpu_seconds(process)? - cpu) / 5.0 * 100.0;
    report.row("idle", &[("rss_mib", mib(idle)), ("cpu_percent", cpu_percent)])?;

    let turn = turn_target(&node)?;
    let direct = stub_target(&stub);
    let numbers = Arc::new(AtomicU64::new(0));
    closed_loop(&turn, 1, Duration::from_millis(300), &numbers).await?;
    for clients in [1, 8] {
        let model = closed_loop(&direct, clients, seconds, &numbers).await?;
        let cpu = cpu_seconds(process)?;
        let turns = closed_loop(&turn, clients, seconds, &numbers).await?;
        let cpu_ms = (cpu_seconds(process)? - cpu) * 1e3 / turns.samples.count() as f64;
        row(&report, &format!("model alone, {clients} clients"), &model, &[])?;
        let over = turns.samples.percentile_ms(50) - model.samples.percentile_ms(50);
        let ratio = model.per_second / turns.per_second;
        let extra =
            [("over_model_p50_ms", over), ("model_rate_over_turn_rate", ratio), ("node_cpu_ms_per_turn", cpu_ms)];
        row(&report, &format!("turns through REST, {clients} clients"), &turns, &extra)?;
    }
    let done = numbers.load(std::sync::atomic::Ordering::Relaxed);
    ensure!(done >= TURNS, "only {done} requests were made");
    let after = rss_kib(process)?;
    report.row("after the turns above", &[("rss_mib", mib(after)), ("over_idle", after as f64 / idle as f64)])?;
    thousand_turns(&report, &mut node, &turn).await
}

/// Memory after exactly a thousand turns of a freshly started node.
async fn thousand_turns(report: &Report, node: &mut NodeRunner, turn: &Arc<HttpTarget>) -> Result<()> {
    node.sigterm().await?;
    until_ready(node).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let process = node.pid().context("the node does not run")?;
    let before = rss_kib(process)?;
    let (mut made, numbers) = (0, Arc::new(AtomicU64::new(1 << 40)));
    while made < TURNS {
        made += closed_loop(turn, 1, Duration::from_millis(50), &numbers).await?.samples.count() as u64;
    }
    let after = rss_kib(process)?;
    let values = [
        ("turns", made as f64),
        ("idle_mib", mib(before)),
        ("rss_mib", mib(after)),
        ("over_idle", after as f64 / before as f64),
    ];
    Ok(report.row("restarted, then 1000 turns", &values)?)
}

fn row(report: &Report, what: &str, load: &Load, extra: &[(&str, f64)]) -> Result<()> {
    if let Some(failure) = &load.first_failure {
        report.note(&format!("{what}: {} failed, first: {failure}", load.failed))?;
    }
    let mut values = vec![
        ("per_second", load.per_second),
        ("p50_ms", load.samples.percentile_ms(50)),
        ("p99_ms", load.samples.percentile_ms(99)),
        ("failed", load.failed as f64),
    ];
    values.extend_from_slice(extra);
    Ok(report.row(what, &values)?)
}

fn turn_target(node: &NodeRunner) -> Result<Arc<HttpTarget>> {
    let token = node.rest()?.token().to_owned();
    Ok(Arc::new(HttpTarget {
        address: node.rest_address(),
        request: Box::new(|number| {
            ("POST /api/v1/tasks?wait=30s".to_owned(), format!("{{\"agent\":\"echo\",\"input\":\"say hi {number}\"}}"))
        }),
        headers: format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n"),
        accept: Box::new(|status, body| status == 200 && body.windows(5).any(|five| five == b"hello")),
    }))
}

fn stub_target(stub: &ModelStub) -> Arc<HttpTarget> {
    let address = stub.url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    Arc::new(HttpTarget {
        address,
        request: Box::new(|number| {
            let body =
                format!("{{\"model\":\"stub\",\"messages\":[{{\"role\":\"user\",\"content\":\"say hi {number}\"}}]}}");
            ("POST /v1/chat/completions".to_owned(), body)
        }),
        headers: "content-type: application/json\r\n".to_owned(),
        accept: Box::new(|status, body| status == 200 && body.windows(5).any(|five| five == b"hello")),
    })
}

/// Starts the process; the milliseconds until `/ready` says 200, looked at every millisecond.
async fn until_ready(node: &mut NodeRunner) -> Result<f64> {
    let begun = Instant::now();
    node.spawn()?;
    let address = node.rest_address();
    while !is_ready(&address).await {
        ensure!(begun.elapsed() < Duration::from_secs(30), "the node is not ready:\n{}", node.log());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

async fn is_ready(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let request = format!("GET /ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
