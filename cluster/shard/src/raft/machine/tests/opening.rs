//! What is found when the state is opened.

use super::support::*;
use crate::error::OpenError;
use crate::raft::machine::StateHost;
use crate::raft::machine::keys::{self, Slot};
use octopussy_core::ids::{AgentId, ShardId};
use octopussy_core::ports::ProposeError;
use octopussy_store::{Batch, Durability, Engine, Keyspace, StoreOptions};
use openraft::storage::RaftStateMachine;
use std::time::Duration;

fn store_with(dir: &std::path::Path, key: &[u8], value: &[u8]) {
    let options = StoreOptions { engine: Engine::Redb, cache_bytes: 1 << 20, quick_reopen: true };
    let store = octopussy_store::open(&dir.join("state.redb"), options).unwrap();
    let mut batch = Batch::new();
    batch.put(Keyspace::Meta, key, value);
    store.commit(&batch, Durability::Fsync).unwrap();
}

#[tokio::test]
async fn state_of_another_layout_is_refused_with_a_way_out() {
    for (key, value) in [(keys::OLD_SHARDS, 16_u16.to_be_bytes()), (keys::LAYOUT, 99_u16.to_be_bytes())] {
        let dir = tempfile::tempdir().unwrap();
        store_with(dir.path(), key, &value);
        let error = StateHost::open(config(dir.path())).err().expect("it was opened");
        assert!(matches!(error, OpenError::Layout { .. }), "{error}");
        assert!(error.to_string().contains("--home"), "{error}");
    }
}

#[tokio::test]
async fn damaged_rows_are_named() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(config(dir.path())).await);
    store_with(dir.path(), &keys::group(crate::raft::GroupId::of(ShardId(2))), b"\x01nonsense");
    let error = StateHost::open(config(dir.path())).err().expect("it was opened");
    assert!(matches!(error, OpenError::Record { .. }) && error.to_string().contains("a group"), "{error}");
}

#[tokio::test]
async fn only_one_process_has_the_state_open() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(config(dir.path())).await;
    let second = StateHost::open(config(dir.path())).err().expect("it was opened twice");
    assert!(second.is_locked(), "{second}");
    drop(host);
    open(config(dir.path())).await;
}

#[tokio::test]
async fn left_over_files_and_rows_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(config(dir.path())).await;
    let group = Group::led(&host, "alice").await;
    drop((group.machine, group.host, host));
    let old = Slot { shard: group.shard, generation: 9 };
    store_with(dir.path(), &keys::garbage(old), b"");
    store_with(dir.path(), &keys::agent(old, AgentId::from_name("alice")), b"");
    let left = dir.path().join("snapshots").join("group-1-0.snapshot");
    std::fs::write(&left, b"half").unwrap();
    let host = open(config(dir.path())).await;
    assert!(!left.exists());
    host.flush().await.unwrap();
    let row = |key: Vec<u8>| host.shared.store.with(|store| store.get(Keyspace::Meta, &key)).unwrap();
    assert_eq!(row(keys::garbage(old)), None);
    assert!(host.agent(AgentId::from_name("alice")).unwrap().is_some(), "what is not garbage stays");
}

#[tokio::test]
async fn a_forgotten_shard_is_gone_and_may_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(config(dir.path())).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    let task = group.run(alice).await;
    host.flush().await.unwrap();
    group.accept(alice).await;
    host.forget(group.shard).await.unwrap();
    assert!(matches!(host.task(task), Err(ProposeError::NotLeader(_))));
    assert_eq!(host.epoch(group.shard), None);
    // Whoever still applies to it changes nothing.
    group.accept(alice).await;
    host.flush().await.unwrap();
    let mut again = host.shard(group.shard);
    assert_eq!(again.applied_state().await.unwrap().0, None);
    assert!(host.agent(alice).unwrap().is_none());
    assert_eq!(dump(&host, group.shard).await, []);
    let mut again = Group::led(&host, "alice").await;
    let task = again.run(alice).await;
    assert!(host.close(Duration::from_secs(10)).await);
    drop(host);
    let host = open(config(dir.path())).await;
    assert_eq!(host.agent(alice).unwrap().unwrap().tasks_ended, 1);
    assert!(host.task(task).unwrap().is_some());
    host.forget(group.shard).await.unwrap();
    drop(host);
    let host = open(config(dir.path())).await;
    assert_eq!(host.groups(), vec![crate::raft::GroupId::CONTROL]);
}
