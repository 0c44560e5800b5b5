//! Opening what should not be opened, and what time and retention do.

use super::support::*;
use crate::{OpenError, ShardConfig, SingleNode};
use octopussy_core::ids::{NodeId, ShardCount};
use octopussy_core::message::{DEFAULT_TTL, Priority};
use octopussy_core::ports::{LedgerPort, ProposeError, TaskQuery};
use octopussy_core::task::{Command, DeadLetterReason, Outcome, Refusal, TaskState};
use octopussy_store::{Batch, Durability, Engine, Keyspace, StoreError, StoreOptions};
use std::time::Duration;

fn error_of(config: ShardConfig) -> OpenError {
    SingleNode::open(config, clock(), NodeId([7; 16])).err().unwrap()
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    let error = error_of(config(dir.path()));
    assert!(matches!(error, OpenError::Store(StoreError::Locked { .. })), "{error:?}");
    drop(node);
    drop(open(dir.path()));
}

#[test]
fn a_newer_store_is_refused() {
    for name in ["log.redb", "state.redb"] {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let options = StoreOptions { engine: Engine::Redb, cache_bytes: 1 << 20, quick_reopen: false };
        let store = octopussy_store::open(&dir.path().join(name), options).unwrap();
        let mut batch = Batch::new();
        batch.put(Keyspace::Meta, b"format".as_slice(), 2_u32.to_be_bytes());
        store.commit(batch, Durability::Fsync).unwrap();
        drop(store);
        let error = error_of(config(dir.path()));
        assert!(matches!(error, OpenError::Store(StoreError::NewerVersion { found: 2, .. })), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn another_number_of_shards_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let error = error_of(ShardConfig { shards: ShardCount::new(8).unwrap(), ..config(dir.path()) });
    assert!(error.to_string().contains("set cluster.shards back to 4"), "{error}");
}

#[tokio::test]
async fn running_work_goes_back_and_old_epochs_are_stale() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    let agent = node.create("alice").await;
    let task = node.accept_one(agent).await;
    node.begin(task).await.unwrap();
    node.step(task, 0).await.unwrap();
    let old = node.epoch_of(task);
    drop(node);
    let node = open(dir.path());
    assert!(node.epoch_of(task) > old);
    let next = node.next_task(agent).unwrap();
    assert_eq!((next.id, next.state, next.steps.len(), next.attempts), (task, TaskState::Accepted, 1, 1));
    let now = node.inner.clock.now();
    let stale = node.on_task(task, Command::Begin { task, epoch: old, now }).await;
    assert!(matches!(stale, Err(ProposeError::Refused(Refusal::StaleEpoch { .. }))), "{stale:?}");
    node.begin(task).await.unwrap();
}

#[tokio::test]
async fn a_clock_set_back_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let node = SingleNode::open(config(dir.path()), clock.clone(), NodeId([7; 16])).unwrap();
    let agent = node.create("alice").await;
    let first = node.accept_one(agent).await;
    drop(node);
    clock.set(START - 86_400_000);
    let node = SingleNode::open(config(dir.path()), clock.clone(), NodeId([7; 16])).unwrap();
    let second = node.accept_one(agent).await;
    let (first, second) = (node.task(first).unwrap().unwrap(), node.task(second).unwrap().unwrap());
    assert_eq!(first.state, TaskState::Accepted);
    assert!(second.accepted_at >= first.accepted_at);
    assert_eq!(node.next_task(agent).unwrap().id, first.id);
}

#[tokio::test]
async fn what_expires_is_dead_lettered_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let node = SingleNode::open(config(dir.path()), clock.clone(), NodeId([7; 16])).unwrap();
    let agent = node.create("alice").await;
    let task = node.accept_one(agent).await;
    clock.set(START + u64::try_from(DEFAULT_TTL.as_millis()).unwrap() + 1);
    let ended = node.await_end(task, Duration::from_secs(10)).await.unwrap().unwrap();
    assert_eq!(ended.dead_letter, Some(DeadLetterReason::Expired));
    assert_eq!(node.dead_letters(), 1);
}

#[tokio::test]
async fn history_is_bounded_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let config = ShardConfig { max_ended: 40, ..config(dir.path()) };
    let node = SingleNode::open(config, clock(), NodeId([7; 16])).unwrap();
    let agent = node.create("alice").await;
    let mut newest = None;
    for _ in 0..30 {
        newest = Some(node.run(agent).await);
    }
    // A quarter of the bound for each of four shards; all these tasks are in one. They end at one moment of the test's
    // clock, so that the sweep, which goes by moments, takes all of them.
    eventually("the sweep", || node.tasks(&TaskQuery::default()).unwrap().items.len() <= 10).await;
    let again = node.task(newest.unwrap()).unwrap();
    assert!(again.is_none_or(|task| task.state == TaskState::Succeeded));
}

#[tokio::test]
async fn waiting_for_an_end_hears_of_it_or_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    let agent = node.create("alice").await;
    let task = node.accept_one(agent).await;
    let early = node.await_end(task, Duration::from_millis(1)).await.unwrap().unwrap();
    assert_eq!(early.state, TaskState::Accepted);
    node.begin(task).await.unwrap();
    let (waited, ended) = tokio::join!(
        node.await_end(task, Duration::from_secs(10)),
        node.end(task, Outcome::Succeeded(message(agent, Priority::Normal, START, DEFAULT_TTL)))
    );
    assert_eq!(waited.unwrap().unwrap(), task_of(ended.unwrap()));
    assert_eq!(node.await_end(task, Duration::ZERO).await.unwrap().unwrap().state, TaskState::Succeeded);
}

#[tokio::test]
async fn a_closed_node_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    let agent = node.create("alice").await;
    assert!(node.close(Duration::from_secs(10)).await);
    assert!(matches!(node.accept(new_task(agent)).await, Err(ProposeError::Stopping)));
    assert!(matches!(node.health(), Err(ProposeError::Stopping)));
}

#[tokio::test]
async fn commands_for_another_shard_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path());
    let agent = node.create("alice").await;
    let home = node.shards().shard_of(agent);
    let other = node.shards().all().find(|shard| *shard != home).unwrap();
    let command = Command::ResetUsage { agent };
    assert!(matches!(node.propose(other, command).await, Err(ProposeError::NotLeader(shard)) if shard == other));
}
