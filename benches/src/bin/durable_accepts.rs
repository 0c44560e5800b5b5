//! Durable accepts a second, beside what the disk gives a plain file that appends the same bytes in the same batches.
//!
//! `cargo run --release -p octopussy-benches --bin durable_accepts [directory]`; both sides run one after the other in the
//! same directory, which must lie on the disk that is to be measured.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use anyhow::{Context, Result, ensure};
use octopussy_benches::alone;
use octopussy_core::agent::{AgentRecord, AgentSpec, Desired, UsageWindow};
use octopussy_core::codec;
use octopussy_core::ids::{AgentId, MessageId, PartyId, TaskId, TraceId};
use octopussy_core::message::{KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey};
use octopussy_core::task::{Command, MAILBOX_CAPACITY, NewTask};
use octopussy_core::time::{Clock, Timestamp};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const RUN: Duration = Duration::from_secs(3);
/// Enough mailboxes for whatever is accepted within a run, since nothing empties them.
const AGENTS: usize = 1_000;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

fn main() -> Result<()> {
    let place = std::env::args().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("{:>9} {:>14} {:>14} {:>7} {:>12}", "in flight", "accepts/s", "plain file/s", "ratio", "p50 of one");
    for in_flight in [1, 64, 256, 1_024] {
        let dir = tempfile::tempdir_in(&place)?;
        let (ours, median) = runtime.block_on(accepts(dir.path(), in_flight))?;
        let plain = plain_file(&dir.path().join("plain"), in_flight)?;
        println!(
            "{in_flight:>9} {ours:>14.0} {plain:>14.0} {:>6.0}% {:>9} µs",
            100.0 * ours / plain,
            median.as_micros()
        );
    }
    Ok(())
}

/// Accepts for a while with so many proposals in flight; answers with the rate and the median time of one.
async fn accepts(dir: &Path, in_flight: usize) -> Result<(f64, Duration)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (host, _mesh) = alone(dir, &clock).await?;
    let node = host.ledger();
    let mut agents = Vec::with_capacity(AGENTS);
    for number in 0..AGENTS {
        let agent = agent(&format!("agent-{number}"), clock.now());
        agents.push(agent.id);
        let shard = node.shards().shard_of(agent.id);
        node.propose(shard, Command::CreateAgent { agent: Box::new(agent) }).await?;
    }
    let agents: Arc<[AgentId]> = agents.into();
    let message = message(clock.now())?;
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut callers = Vec::with_capacity(in_flight);
    for _ in 0..in_flight {
        let (node, agents, message, next) =
            (Arc::clone(&node), Arc::clone(&agents), Arc::clone(&message), Arc::clone(&next));
        let clock = Arc::clone(&clock);
        callers.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while started.elapsed() < RUN {
                let turn = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                let agent = agents.get(turn % AGENTS).copied().context("an agent")?;
                let before = Instant::now();
                let task = Box::new(new_task(agent, &message));
                node.propose(node.shards().shard_of(agent), Command::Accept { task, now: clock.now() }).await?;
                times.push(before.elapsed());
            }
            anyhow::Ok(times)
        }));
    }
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await??);
    }
    let elapsed = started.elapsed();
    ensure!(times.len() < AGENTS * MAILBOX_CAPACITY, "the mailboxes were too small for this disk");
    ensure!(host.close(Duration::from_secs(60)).await, "the node did not close");
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok((times.len() as f64 / elapsed.as_secs_f64(), median))
}

/// Appends batches of so many commands to a plain file, each batch followed by `fdatasync`.
fn plain_file(path: &Path, in_flight: usize) -> Result<f64> {
    let now = SystemClock.now();
    let message = message(now)?;
    let command = Command::Accept { task: Box::new(new_task(AgentId::from_name("a"), &message)), now };
    let batch = codec::encode(&command)?.repeat(in_flight);
    let mut file = std::fs::File::create(path)?;
    let started = Instant::now();
    let mut written = 0;
    while started.elapsed() < RUN {
        file.write_all(&batch)?;
        file.sync_data()?;
        written += in_flight;
    }
    Ok(written as f64 / started.elapsed().as_secs_f64())
}

fn new_task(agent: AgentId, message: &Arc<Message>) -> NewTask {
    NewTask {
        id: TaskId::for_agent(agent, Uuid::now_v7()),
        agent,
        sender: PartyId::from_uuid(Uuid::nil()),
        message: Arc::clone(message),
        idempotency: None,
        max_attempts: 3,
    }
}

fn message(now: Timestamp) -> Result<Arc<Message>> {
    let text =
        "Summarise the attached report in three sentences, and name the two figures that matter most. ".repeat(3);
    let keyring = Keyring::new(SigningKey::new(KeyId(1), [1; 32]));
    Ok(Arc::new(keyring.sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::nil()),
        sender_id: PartyId::from_uuid(Uuid::nil()),
        recipient_id: PartyId::from_uuid(Uuid::nil()),
        message_type: MessageType::Task,
        payload: Payload::from_value(&serde_json::json!({ "input": text }))?,
        priority: Priority::Normal,
        trace_id: TraceId::from_uuid(Uuid::nil()),
        created_at: now,
        ttl: Duration::from_secs(3_600),
    })))
}

fn agent(name: &str, now: Timestamp) -> AgentRecord {
    let spec = AgentSpec { name: name.to_owned(), ..AgentSpec::default() };
    AgentRecord {
        id: AgentId::from_name(name),
        spec: Arc::new(spec),
        documents: Arc::new([]),
        created_at: now,
        desired: Desired::Active,
        usage: UsageWindow::default(),
        memory: None,
        tasks_ended: 0,
        versions: Arc::new([]),
    }
}
