//! A closed-loop HTTP/1.1 load generator on plain sockets: each connection sends its next request when it has its answer.
//! Both sides of a comparison are driven by it, so that what it costs itself falls on both alike.

use crate::samples::Samples;
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Makes the method and path, and the body, of request number `n`.
pub type MakeRequest = Box<dyn Fn(u64) -> (String, String) + Send + Sync>;

/// Says whether this status and body are the answer that was hoped for.
pub type Accept = Box<dyn Fn(u16, &[u8]) -> bool + Send + Sync>;

/// Who is asked, and how.
pub struct HttpTarget {
    /// `host:port`.
    pub address: String,
    /// The requests.
    pub request: MakeRequest,
    /// Headers of every request, each ending in `\r\n`.
    pub headers: String,
    /// The good answers.
    pub accept: Accept,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Load {
    /// Good answers a second.
    pub per_second: f64,
    /// How long the good answers took.
    pub samples: Samples,
    /// Answers that were not good, and broken connections.
    pub failed: u64,
    /// The first of them.
    pub first_failure: Option<String>,
}

/// Keeps `connections` requests in flight for `duration`; `numbers` numbers them over several runs.
///
/// # Errors
/// When no connection could be made, or nothing was answered well.
pub async fn closed_loop(
    target: &Arc<HttpTarget>,
    connections: usize,
    duration: Duration,
    numbers: &Arc<AtomicU64>,
) -> Result<Load> {
    let begun = Instant::now();
    let until = begun + duration;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (target, numbers) = (Arc::clone(target), Arc::clone(numbers));
        tasks.spawn(async move { one_connection(&target, until, &numbers).await });
    }
    let (mut durations, mut failed, mut first_failure) = (Vec::new(), 0, None);
    while let Some(done) = tasks.join_next().await {
        let mut one = done??;
        durations.append(&mut one.durations);
        failed += one.failed;
        first_failure = first_failure.or(one.first_failure);
    }
    let seconds = begun.elapsed().as_secs_f64();
    if durations.is_empty() {
        bail!("{} gave no good answer: {}", target.address, first_failure.unwrap_or_default());
    }
    Ok(Load { per_second: durations.len() as f64 / seconds, samples: Samples::new(durations), failed, first_failure })
}

#[derive(Default)]
struct Connection {
    durations: Vec<Duration>,
    failed: u64,
    first_failure: Option<String>,
}

async fn one_connection(target: &HttpTarget, until: Instant, numbers: &AtomicU64) -> Result<Connection> {
    let mut result = Connection::default();
    let mut stream = connect(&target.address).await?;
    let mut buffer = Vec::with_capacity(16 * 1024);
    while Instant::now() < until {
        let (line, body) = (target.request)(numbers.fetch_add(1, Ordering::Relaxed));
        let request = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\n{}content-length: {}\r\n\r\n{body}",
            target.address,
            target.headers,
            body.len()
        );
        let begun = Instant::now();
        let answer = async {
            stream.write_all(request.as_bytes()).await?;
            read_response(&mut stream, &mut buffer).await
        };
        match answer.await {
            Ok((status, body)) if (target.accept)(status, &body) => result.durations.push(begun.elapsed()),
            Ok((status, body)) => {
                result.failed += 1;
                let text = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
                result.first_failure.get_or_insert(format!("{status} {text}"));
            }
            Err(error) => {
                result.failed += 1;
                result.first_failure.get_or_insert(error.to_string());
                buffer.clear();
                stream = connect(&target.address).await?;
            }
        }
    }
    Ok(result)
}

async fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one response; its length comes from `content-length` or from chunks.
async fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(u16, Vec<u8>)> {
    let head_end = read_until(stream, buffer, 0, b"\r\n\r\n").await?;
    let head = std::str::from_utf8(&buffer[..head_end])?.to_ascii_lowercase();
    let status: u16 = head.get(9..12).context("no status")?.parse()?;
    let header = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(|value| value.trim().to_owned())
    };
    if let Some(length) = header("content-length") {
        let end = head_end + length.parse::<usize>()?;
        while buffer.len() < end {
            fill(stream, buffer).await?;
        }
        let body = buffer[head_end..end].to_vec();
        buffer.drain(..end);
        return Ok((status, body));
    }
    if header("transfer-encoding").is_none() {
        buffer.drain(..head_end);
        return Ok((status, Vec::new()));
    }
    let (mut at, mut body) = (head_end, Vec::new());
    loop {
        let line_end = read_until(stream, buffer, at, b"\r\n").await?;
        let size = usize::from_str_radix(std::str::from_utf8(&buffer[at..line_end - 2])?.trim(), 16)?;
        while buffer.len() < line_end + size + 2 {
            fill(stream, buffer).await?;
        }
        body.extend_from_slice(&buffer[line_end..line_end + size]);
        at = line_end + size + 2;
        if size == 0 {
            buffer.drain(..at);
            return Ok((status, body));
        }
    }
}

/// The position behind the first `mark` from `from` on.
async fn read_until(stream: &mut TcpStream, buffer: &mut Vec<u8>, from: usize, mark: &[u8]) -> Result<usize> {
    loop {
        if let Some(found) = buffer.get(from..).and_then(|rest| rest.windows(mark.len()).position(|w| w == mark)) {
            return Ok(from + found + mark.len());
        }
        fill(stream, buffer).await?;
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    if stream.read_buf(buffer).await? == 0 {
        bail!("the connection was closed");
    }
    Ok(())
}
