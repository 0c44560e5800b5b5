//! Disks that fail.

use super::support::*;
use crate::raft::GroupId;
use crate::stores::Opener;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::ProposeError;
use octopussy_store::{Batch, Durability, Snapshot, Store, StoreError};
use openraft::storage::RaftStateMachine;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A disk that can be full, or unreadable, or take only so many more commits.
pub(super) struct Disk {
    full: AtomicBool,
    unreadable: AtomicBool,
    pub(super) commits_left: AtomicUsize,
}

impl Default for Disk {
    fn default() -> Self {
        let commits_left = AtomicUsize::new(usize::MAX);
        Self { full: AtomicBool::new(false), unreadable: AtomicBool::new(false), commits_left }
    }
}

struct Faulty {
    store: Arc<dyn Store>,
    disk: Arc<Disk>,
    path: PathBuf,
    failed: AtomicBool,
}

impl Store for Faulty {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        if self.disk.unreadable.load(Ordering::SeqCst) {
            return Err(StoreError::Corrupt { path: self.path.clone(), detail: "a bad sector".to_owned() });
        }
        self.store.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(StoreError::Failed { path: self.path.clone() });
        }
        let left = self.disk.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if self.disk.full.load(Ordering::SeqCst) || left.is_err() {
            // Like an engine: after the first failure only reopening helps.
            self.failed.store(true, Ordering::SeqCst);
            return Err(StoreError::DiskFull { path: self.path.clone() });
        }
        self.store.commit(batch, durability)
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.store.size()
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }
}

/// Opens real stores on `disk`.
pub(super) fn opener(disk: &Arc<Disk>) -> Opener {
    let disk = Arc::clone(disk);
    Arc::new(move |path: &Path, options| {
        let store = octopussy_store::open(path, options)?;
        let faulty =
            Faulty { store, disk: Arc::clone(&disk), path: path.to_path_buf(), failed: AtomicBool::new(false) };
        Ok(Arc::new(faulty) as Arc<dyn Store>)
    })
}

#[tokio::test]
async fn a_full_disk_is_reported_stops_nothing_and_heals_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_with(config(dir.path()), opener(&disk)).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    let mut done = vec![group.run(alice).await];
    host.flush().await.unwrap();
    let stored = host.durable(GroupId::of(group.shard));
    disk.full.store(true, Ordering::SeqCst);
    done.push(group.run(alice).await);
    eventually("the failure", || host.health().is_err()).await;
    assert!(matches!(host.health(), Err(ProposeError::DiskFull)));
    done.push(group.run(alice).await);
    for id in &done {
        assert!(host.task(*id).unwrap().is_some(), "reading goes on");
    }
    assert_eq!(host.durable(GroupId::of(group.shard)), stored);
    let flush = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.flush().await }
    });
    disk.full.store(false, Ordering::SeqCst);
    flush.await.unwrap().unwrap();
    assert!(host.health().is_ok());
    done.push(group.run(alice).await);
    let (shard, log) = (group.shard, group.log.len() as u64);
    drop((group, host));
    let host = open(config(dir.path())).await;
    assert_eq!(host.durable(GroupId::of(shard)).map(|id| id.index + 1), Some(log));
    for id in done {
        assert!(host.task(id).unwrap().is_some(), "a task is lost");
    }
}

#[tokio::test]
async fn closing_while_the_disk_is_full_ends_and_the_log_brings_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_with(config(dir.path()), opener(&disk)).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    host.flush().await.unwrap();
    disk.full.store(true, Ordering::SeqCst);
    let task = group.run(alice).await;
    let flush = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.flush().await }
    });
    eventually("the failure", || host.health().is_err()).await;
    assert!(host.close(Duration::from_secs(10)).await);
    assert!(flush.await.unwrap().is_err(), "what is not stored is not said to be");
    assert!(host.flush().await.is_err());
    let again = open(config(dir.path())).await;
    assert!(again.task(task).unwrap().is_none());
    group.catch_up(&again).await;
    assert_eq!(again.task(task).unwrap().unwrap().steps.len(), 1);
}

/// A command that is committed must be applied, however long the state cannot be read; other shards go on meanwhile.
#[tokio::test]
async fn what_cannot_be_read_is_waited_for_by_its_shard_alone() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_with(seldom(dir.path()), opener(&disk)).await;
    let alice = AgentId::from_name("alice");
    let mut group = Group::led(&host, "alice").await;
    let ended = group.run(alice).await;
    host.flush().await.unwrap();
    let other = count().all().find(|shard| *shard != group.shard).unwrap();
    let mut others = Group::led(&host, &names_of(other).next().unwrap()).await;
    disk.unreadable.store(true, Ordering::SeqCst);
    let again = tokio::spawn(async move {
        // Whether the task of that id exists already is in the store; the second half of the entry comes after it.
        let repeated = octopussy_core::task::NewTask { id: ended, ..new_task(alice) };
        let accept = |task| octopussy_core::task::Command::Accept { task: Box::new(task), now: now() };
        let fresh = new_task(alice);
        let id = fresh.id;
        group.propose(vec![accept(fresh), accept(repeated)]).await;
        (group, id)
    });
    eventually("the failure", || host.health().is_err()).await;
    others.propose(vec![activate(other, ME)]).await;
    assert!(!again.is_finished());
    let before = host.durable(GroupId::of(count().shard_of(alice)));
    host.flush().await.unwrap();
    assert_eq!(host.durable(GroupId::of(count().shard_of(alice))), before, "a part of an entry is not stored");
    assert_eq!(host.durable(GroupId::of(other)).map(|id| id.index + 1), Some(others.log.len() as u64));
    disk.unreadable.store(false, Ordering::SeqCst);
    let (mut group, fresh): (Group, TaskId) = again.await.unwrap();
    assert!(host.health().is_ok());
    assert_eq!(host.waiting(alice), 1);
    assert_eq!(host.next_tasks(alice, 2)[0].id, fresh);
    assert_eq!(group.machine.cell.state.read().machine.record().position, 8);
    assert_eq!(group.machine.applied_state().await.unwrap().0.map(|id| id.index + 1), Some(group.log.len() as u64));
}
