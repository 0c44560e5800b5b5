//! Crashes: processes killed with -9, files copied in mid-flight, logs replayed.

use super::support::*;
use crate::ShardHostConfig;
use octopussy_core::ids::TaskId;
use octopussy_core::ports::TaskQuery;
use octopussy_core::task::TaskState;
use openraft::async_runtime::watch::WatchReceiver;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const CHILD_DIR: &str = "OCTOPUSSY_CRASH_TEST_DIR";

/// Not a test of its own: what the child process of the next test runs. Without its variable it has nothing to do.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let node = Arc::new(open(Path::new(&dir)).await);
        let agents = [node.create_or_find("alice").await, node.create_or_find("bob").await];
        let writers = (0..8).map(|number: usize| {
            let node = Arc::clone(&node);
            tokio::spawn(async move {
                // Until it is killed, or long past the deadline of the test.
                for _ in 0..1_000_000 {
                    let id = node.run(agents[number % 2]).await;
                    writeln!(std::io::stdout(), "done {id}").unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

impl TestNode {
    async fn create_or_find(&self, name: &str) -> octopussy_core::ids::AgentId {
        let id = agent(name).id;
        if self.ledger.agent(id).await.unwrap().is_none() {
            self.create(name).await;
        }
        id
    }
}

/// Kills its process when a test ends early.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the child until it has acknowledged `count` tasks, kills it, and answers with all that it acknowledged.
fn run_and_kill(dir: &Path, count: usize) -> Vec<TaskId> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["tests::crashes::child", "--exact", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut done = Vec::new();
    let parse = |line: &str| line.split_once("done ").and_then(|(_, id)| id.trim().parse::<TaskId>().ok());
    while done.len() < count {
        let line = lines.next().expect("the child ended by itself").unwrap();
        done.extend(parse(&line));
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    done.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
    done
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        acknowledged.extend(run_and_kill(dir.path(), 20 + 40 * round));
        let node = open(dir.path()).await;
        for id in &acknowledged {
            let task = node.ledger.task(*id).await.unwrap().unwrap_or_else(|| panic!("task {id} is lost"));
            assert_eq!(task.state, TaskState::Succeeded, "an acknowledged result is lost");
            assert_eq!(task.steps.len(), 1);
        }
        node.close().await;
    }
}

/// A config under which nothing is stored before the end, so that all is replayed.
fn log_only(dir: &Path) -> ShardHostConfig {
    ShardHostConfig { flush_interval: Duration::from_secs(3_600), ..config(dir) }
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

async fn everything(node: &TestNode) -> Vec<Arc<octopussy_core::task::TaskRecord>> {
    node.ledger.tasks(&TaskQuery::default()).await.unwrap().items
}

#[tokio::test]
async fn a_replayed_log_gives_the_same_state_as_a_stored_one() {
    let (live, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = TestNode::alone(log_only(live.path()), clock()).await;
    let agent = node.create("alice").await;
    for turn in 0..40 {
        let mut task = new_task(agent);
        task.idempotency = Some((format!("key {}", turn / 2).into(), 1));
        node.accept(task).await.unwrap();
        node.run(agent).await;
    }
    // The log alone is durable now: what a crash would leave.
    std::fs::copy(live.path().join("state.redb"), copied.path().join("state.redb")).unwrap();
    copy_directory(&live.path().join("log"), &copied.path().join("log"));
    node.close().await;
    let (stored, replayed) = (open(live.path()).await, open(copied.path()).await);
    let (left, right) = (everything(&stored).await, everything(&replayed).await);
    assert_eq!(left.len(), 60);
    assert_eq!(left, right);
    assert_eq!(stored.ledger.agent(agent).await.unwrap(), replayed.ledger.agent(agent).await.unwrap());
    for shard in stored.ledger.shards().all() {
        assert_eq!(stored.led.epoch(shard), replayed.led.epoch(shard));
    }
}

#[tokio::test]
async fn the_log_is_dropped_once_the_state_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let shard = node.shard_of(agent);
    let group = node.host.core().group(shard).unwrap();
    let purged = || group.raft().data_metrics().borrow_watched().purged.map_or(0, |id| id.index);
    // Each command is an entry of its own, since the one before it is waited for.
    let deadline = std::time::Instant::now() + LIMIT * 12;
    while purged() == 0 {
        assert!(std::time::Instant::now() < deadline, "the log grows without bound");
        node.run(agent).await;
    }
    let kept = node.run(agent).await;
    node.close().await;
    let node = open(dir.path()).await;
    assert_eq!(node.ledger.task(kept).await.unwrap().unwrap().state, TaskState::Succeeded);
    assert_eq!(node.ledger.agent(agent).await.unwrap().unwrap().id, agent);
    node.close().await;
}
