//! Opening what should not be opened, and what time and retention do.

use super::support::*;
use crate::{OpenError, ShardHost, ShardHostConfig, Timings};
use octopussy_core::message::{DEFAULT_TTL, Priority};
use octopussy_core::ports::{ProposeError, TaskQuery};
use octopussy_core::task::{Command, DeadLetterReason, NewTask, Outcome, Refusal, TaskState};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_mesh::memory::Network;
use octopussy_store::{Batch, Durability, Engine, FORMAT_VERSION, Keyspace, StoreError, StoreOptions};
use std::sync::Arc;
use std::time::Duration;

async fn error_of(config: ShardHostConfig) -> OpenError {
    let mesh = Network::new(1).node(node_id(7), 1);
    let reach = Arc::new(Connected(Arc::clone(&mesh)));
    ShardHost::open(config, clock(), mesh, reach).await.err().unwrap()
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let error = error_of(config(dir.path())).await;
    assert!(matches!(error, OpenError::Store(StoreError::Locked { .. })), "{error:?}");
    node.close().await;
    open(dir.path()).await.close().await;
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    for (name, engine) in [("log", Engine::Segments), ("state.redb", Engine::Redb)] {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).await.close().await;
        let options = StoreOptions { engine, cache_bytes: 1 << 20, quick_reopen: false };
        let store = octopussy_store::open(&dir.path().join(name), options).unwrap();
        let mut batch = Batch::new();
        batch.put(Keyspace::Meta, b"format".as_slice(), (FORMAT_VERSION + 1).to_be_bytes());
        store.commit(&batch, Durability::Fsync).unwrap();
        drop(store);
        let error = error_of(config(dir.path())).await;
        assert!(matches!(error, OpenError::Store(StoreError::NewerVersion { .. })), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn timings_that_contradict_each_other_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let timings = Timings { election_max: Duration::from_millis(100), ..Timings::FAST };
    let error = error_of(ShardHostConfig { timings, ..config(dir.path()) }).await;
    assert!(matches!(error, OpenError::Timings(_)), "{error:?}");
}

#[tokio::test]
async fn running_work_goes_back_and_old_epochs_are_stale() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let task = node.accept_one(agent).await;
    node.begin(task).await.unwrap();
    node.step(task, 0).await.unwrap();
    let old = node.epoch_of(task);
    node.close().await;
    let node = open(dir.path()).await;
    assert!(node.epoch_of(task) > old);
    let next = node.led.next_task(agent).unwrap();
    assert_eq!((next.id, next.state, next.steps.len()), (task, TaskState::Accepted, 1));
    assert_eq!((next.attempts, next.begun), (0, 1), "a restart is no failure of the task");
    let now = node.clock.now();
    let stale = node.on_task(task, Command::Begin { task, epoch: old, version: 1, now }).await;
    assert!(matches!(stale, Err(ProposeError::Refused(Refusal::StaleEpoch { .. }))), "{stale:?}");
    node.begin(task).await.unwrap();
}

#[tokio::test]
async fn a_clock_set_back_between_two_lives_is_followed_and_changes_no_order() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let node = TestNode::alone(config(dir.path()), clock.clone()).await;
    let agent = node.create("alice").await;
    let first = node.accept_one(agent).await;
    node.close().await;
    clock.set(START - 86_400_000);
    let node = TestNode::alone(config(dir.path()), clock.clone()).await;
    let second = node.accept_one(agent).await;
    let (first, second) =
        (node.ledger.task(first).await.unwrap().unwrap(), node.ledger.task(second).await.unwrap().unwrap());
    assert_eq!(first.state, TaskState::Accepted);
    assert_eq!(
        second.accepted_at,
        Timestamp::from_millis(START - 86_400_000),
        "whatever was right, it does not stay behind"
    );
    assert_eq!(node.led.next_task(agent).unwrap().id, first.id);
}

#[tokio::test]
async fn what_expires_is_dead_lettered_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let node = TestNode::alone(config(dir.path()), clock.clone()).await;
    let agent = node.create("alice").await;
    let ttl = Duration::from_secs(30);
    let short = NewTask { message: message(agent, Priority::Normal, START, ttl), ..new_task(agent) };
    let task = short.id;
    node.accept(short).await.unwrap();
    clock.set(START + 30_001);
    let ended = node.ledger.await_end(task, Duration::from_secs(10)).await.unwrap().unwrap();
    assert_eq!(ended.dead_letter, Some(DeadLetterReason::Expired));
    assert_eq!(node.ledger.dead_letters().await.unwrap(), 1);
}

#[tokio::test]
async fn a_clock_that_leaps_while_its_node_runs_expires_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let node = TestNode::alone(config(dir.path()), clock.clone()).await;
    let agent = node.create("alice").await;
    let before = node.accept_one(agent).await;
    clock.set(START + 2 * 3_600_000);
    eventually("the leap to be noticed", || node.host.clocks().leap.is_some()).await;
    let during = node.accept_one(agent).await;
    for task in [before, during] {
        assert_eq!(task_of(node.begin(task).await.unwrap()).state, TaskState::Running);
    }
    node.close().await;
    clock.set(START + 20_000);
    let node = TestNode::alone(config(dir.path()), clock.clone()).await;
    let after = node.accept_one(agent).await;
    assert_eq!(task_of(node.begin(after).await.unwrap()).state, TaskState::Running);
    assert_eq!(node.host.clocks().leap, None);
}

#[tokio::test]
async fn a_node_that_once_started_hours_ahead_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    clock.set(START + 2 * 3_600_000);
    let node = TestNode::alone(config(dir.path()), clock.clone()).await;
    let agent = node.create("alice").await;
    node.run(agent).await;
    node.close().await;
    clock.set(START);
    let node = TestNode::alone(config(dir.path()), clock.clone()).await;
    let task = node.accept_one(agent).await;
    let begun = task_of(node.begin(task).await.unwrap());
    assert_eq!((begun.state, begun.accepted_at), (TaskState::Running, Timestamp::from_millis(START)));
}

#[tokio::test]
async fn history_is_bounded_by_number_once_its_keys_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let config = ShardHostConfig { max_ended: 40, retention_interval: Duration::from_millis(50), ..config(dir.path()) };
    let clock = clock();
    let node = TestNode::alone(config.clone(), clock.clone()).await;
    let agent = node.create("alice").await;
    let mut newest = None;
    for _ in 0..30 {
        newest = Some(node.run(agent).await);
    }
    node.close().await;
    clock.set(START + 25 * 3_600_000);
    let node = TestNode::alone(config, clock).await;
    // A quarter of the bound for each of four shards; all these tasks are in one. They end at one moment of the test's
    // clock, so that the sweep, which goes by moments, takes all of them.
    let deadline = std::time::Instant::now() + LIMIT;
    while node.ledger.tasks(&TaskQuery::default()).await.unwrap().items.len() > 10 {
        assert!(std::time::Instant::now() < deadline, "the sweep did not happen in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let again = node.ledger.task(newest.unwrap()).await.unwrap();
    assert!(again.is_none_or(|task| task.state == TaskState::Succeeded));
}

#[tokio::test]
async fn waiting_for_an_end_hears_of_it_or_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let task = node.accept_one(agent).await;
    let early = node.ledger.await_end(task, Duration::from_millis(1)).await.unwrap().unwrap();
    assert_eq!(early.state, TaskState::Accepted);
    node.begin(task).await.unwrap();
    let (waited, ended) = tokio::join!(
        node.ledger.await_end(task, Duration::from_secs(10)),
        node.end(task, Outcome::Succeeded(message(agent, Priority::Normal, START, DEFAULT_TTL)))
    );
    assert_eq!(waited.unwrap().unwrap(), task_of(ended.unwrap()));
    assert_eq!(node.ledger.await_end(task, Duration::ZERO).await.unwrap().unwrap().state, TaskState::Succeeded);
}

#[tokio::test]
async fn a_closed_node_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    assert!(node.host.close(LIMIT).await);
    assert!(matches!(node.accept(new_task(agent)).await, Err(ProposeError::Stopping)));
    assert!(matches!(node.ledger.health(), Err(ProposeError::Stopping)));
}

#[tokio::test]
async fn commands_for_another_shard_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let home = node.ledger.shards().shard_of(agent);
    let other = node.ledger.shards().all().find(|shard| *shard != home).unwrap();
    let command = Command::ResetUsage { agent };
    assert!(matches!(node.ledger.propose(other, command).await, Err(ProposeError::NotLeader(shard)) if shard == other));
}

#[tokio::test]
async fn a_full_node_takes_no_new_work_and_goes_on_with_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::alone(ShardHostConfig { max_unended_bytes: 1_500, ..config(dir.path()) }, clock()).await;
    let (alice, bob) = (node.create("alice").await, node.create("bob").await);
    let first = node.accept_one(alice).await;
    let second = node.accept_one(alice).await;
    for agent in [alice, bob] {
        let refused = node.accept(new_task(agent)).await;
        assert!(matches!(refused, Err(ProposeError::Full { .. })), "the bound is of the node: {refused:?}");
    }
    node.begin(first).await.unwrap();
    node.step(first, 0).await.unwrap();
    node.end(first, Outcome::Failed("no".into())).await.unwrap();
    node.begin(second).await.unwrap();
    node.end(second, Outcome::Failed("no".into())).await.unwrap();
    node.accept(new_task(bob)).await.unwrap();
    assert!(node.host.close(LIMIT).await);
}
