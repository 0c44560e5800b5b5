//! Crashes at every moment of an installation, and many shards at once.

use super::faults::{Disk, opener};
use super::support::*;
use crate::raft::GroupId;
use crate::raft::machine::StateHost;
use octopussy_core::ids::AgentId;
use openraft::storage::RaftStateMachine;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// However many of its transactions an installation got through before the crash, the shard is as it was, or as the snapshot
/// says; and it can be installed again.
#[tokio::test]
async fn an_installation_that_was_cut_off_leaves_the_old_state_or_the_new() {
    let here = tempfile::tempdir().unwrap();
    let from = open(seldom(here.path())).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&from, "alice").await;
    let id = GroupId::of(group.shard);
    let early = group.run(alice).await;
    let waiting = group.accept(alice).await;
    let old = group.log.clone();
    for _ in 0..3 {
        group.run(alice).await;
    }
    let work = group.work(waiting);
    group.propose(work).await;
    from.flush().await.unwrap();
    let (mut before, mut after) = (0, 0);
    for commits in 0..8 {
        let there = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::default());
        let to = open_with(seldom(there.path()), opener(&disk)).await;
        let mut machine = to.shard(group.shard);
        apply_all(&mut machine, old.clone()).await;
        to.flush().await.unwrap();
        let (meta, file) = transfer(&mut group.machine, &to, id).await;
        disk.commits_left.store(commits, Ordering::SeqCst);
        let install = tokio::spawn(async move { machine.install_snapshot(&meta, file).await });
        let done = || install.is_finished() || to.health().is_err();
        eventually("the end or the failure", done).await;
        let installed = install.is_finished();
        to.close(Duration::from_secs(10)).await;
        assert_eq!(install.await.unwrap().is_ok(), installed);
        drop(to);
        let again = open(seldom(there.path())).await;
        again.flush().await.unwrap();
        let applied = again.shard(group.shard).applied_state().await.unwrap().0.unwrap();
        if applied.index + 1 == old.len() as u64 {
            before += 1;
            assert!(!installed);
            assert_eq!(again.waiting(alice), 1);
            assert_eq!(again.agent(alice).unwrap().unwrap().tasks_ended, 1);
        } else {
            after += 1;
            assert_eq!(again.agent(alice).unwrap().unwrap().tasks_ended, 5);
        }
        assert!(again.task(early).unwrap().is_some());
        let (meta, file) = transfer(&mut group.machine, &again, id).await;
        let mut machine = again.shard(group.shard);
        machine.install_snapshot(&meta, file).await.unwrap();
        assert_same((&from, &group.machine), (&again, &machine)).await;
        // Nothing of the other generations is left.
        let slots = rows_by_generation(&again).await;
        assert_eq!(slots.len(), 1, "rows are left over: {slots:?}");
    }
    assert!(before >= 2 && after >= 1, "cut off before {before} times, after {after} times");
}

async fn rows_by_generation(host: &StateHost) -> std::collections::BTreeMap<Vec<u8>, usize> {
    use crate::raft::machine::flusher::SHARD_KEYSPACES;
    use octopussy_store::{Direction, KeyRange};
    host.flush().await.unwrap();
    let mut slots = std::collections::BTreeMap::new();
    for keyspace in SHARD_KEYSPACES {
        let read = |store: &dyn octopussy_store::Store| {
            store.snapshot()?.page(keyspace, &KeyRange::ALL, Direction::Forward, usize::MAX)
        };
        for (key, _) in host.shared.store.with(read).unwrap() {
            *slots.entry(key[..3].to_vec()).or_default() += 1;
        }
    }
    slots
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shards_that_apply_at_once_keep_apart_and_are_stored_together() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(seldom(dir.path())).await;
    let flushing = tokio::spawn({
        let host = Arc::clone(&host);
        async move { while host.flush().await.is_ok() {} }
    });
    let mut running = Vec::new();
    for shard in count().all() {
        let host = Arc::clone(&host);
        running.push(tokio::spawn(async move {
            let name = names_of(shard).next().unwrap();
            let mut group = Group::led(&host, &name).await;
            let agent = AgentId::from_name(&name);
            for _ in 0..50 {
                group.run(agent).await;
                group.accept(agent).await;
                assert!(host.next_tasks(agent, 1).len() == 1);
            }
            group
        }));
    }
    let mut groups = Vec::new();
    for group in running {
        groups.push(group.await.unwrap());
    }
    // What is stored at a moment is of all shards a state that the log can go on from.
    let copy = tempfile::tempdir().unwrap();
    host.flush().await.unwrap();
    assert!(host.close(Duration::from_secs(10)).await);
    flushing.await.unwrap();
    std::fs::copy(dir.path().join("state.redb"), copy.path().join("state.redb")).unwrap();
    let again = open(seldom(copy.path())).await;
    for group in &groups {
        let machine = group.catch_up(&again).await;
        assert_eq!(machine.cell.state.read().machine, group.machine.cell.state.read().machine);
        let agent = AgentId::from_name(&names_of(group.shard).next().unwrap());
        assert_eq!(again.agent(agent).unwrap().unwrap().tasks_ended, 50);
        assert_eq!(again.waiting(agent), 50);
    }
}
