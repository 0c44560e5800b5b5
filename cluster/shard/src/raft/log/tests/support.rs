//! What the tests share: entries, writing and reading them, a disk that counts and fails.

use super::super::{Entry, GroupLog, LogHost, LogId, LogOpenError, Vote};
use crate::raft::types::{Entries, GroupId, TypeConfig};
use crate::stores::Opener;
use octopussy_core::ids::{AgentId, NodeId, TaskId};
use octopussy_core::task::Command;
use octopussy_core::time::Timestamp;
use octopussy_store::{Batch, Durability, Engine, Snapshot, Store, StoreError, StoreOptions};
use openraft::alias::LeaderIdOf;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;
use openraft::vote::RaftLeaderId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(super) const ME: NodeId = NodeId([1; 16]);

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn options() -> StoreOptions {
    StoreOptions { engine: Engine::Segments, cache_bytes: 0, quick_reopen: false }
}

/// A disk that counts the durable commits and can be full.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) full: AtomicBool,
    /// Whether a commit that fails lands nevertheless.
    pub(super) lands: AtomicBool,
    pub(super) commits: AtomicU64,
    /// Set while commits must wait, as on a disk that stalls.
    pub(super) stalled: AtomicBool,
    /// How many commits get through all the same.
    pub(super) passes: AtomicU64,
}

impl Disk {
    /// Takes a pass, if there is one.
    fn pass(&self) -> bool {
        let taken = self.passes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |passes| passes.checked_sub(1));
        taken.is_ok()
    }
}

struct Watched {
    store: Arc<dyn Store>,
    disk: Arc<Disk>,
    path: PathBuf,
    failed: AtomicBool,
}

impl Store for Watched {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        self.store.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        while self.disk.stalled.load(Ordering::SeqCst) && !self.disk.pass() {
            std::thread::yield_now();
        }
        if self.failed.load(Ordering::SeqCst) {
            return Err(StoreError::Failed { path: self.path.clone() });
        }
        if self.disk.full.load(Ordering::SeqCst) {
            // Like an engine: after the first failure only reopening helps.
            self.failed.store(true, Ordering::SeqCst);
            if self.disk.lands.load(Ordering::SeqCst) {
                self.store.commit(batch, durability)?;
            }
            return Err(StoreError::DiskFull { path: self.path.clone() });
        }
        self.store.commit(batch, durability)?;
        self.disk.commits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.store.size()
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }
}

/// Opens real stores that lie on `disk`.
pub(super) fn opener(disk: &Arc<Disk>) -> Opener {
    let disk = Arc::clone(disk);
    Arc::new(move |path: &Path, options| {
        let store = octopussy_store::open(path, options)?;
        let (disk, path) = (Arc::clone(&disk), path.to_path_buf());
        Ok(Arc::new(Watched { store, disk, path, failed: AtomicBool::new(false) }) as Arc<dyn Store>)
    })
}

pub(super) fn open(dir: &Path) -> Arc<LogHost> {
    open_on(dir, &Arc::default())
}

pub(super) fn open_on(dir: &Path, disk: &Arc<Disk>) -> Arc<LogHost> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match LogHost::open(&dir.join("log"), options(), opener(disk)) {
            Ok(host) => return host,
            // A process that was just killed lets go of its files a moment later.
            Err(error @ LogOpenError::Store(_)) if error.is_locked() && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            Err(error) => panic!("the log does not open: {error}"),
        }
    }
}

pub(super) async fn close(host: Arc<LogHost>) {
    assert!(host.close(PATIENCE).await, "the log does not close");
}

pub(super) fn id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderIdOf::<TypeConfig>::new(term, ME).to_committed(), index)
}

pub(super) fn vote(term: u64) -> Vote {
    Vote::new(term, ME)
}

/// A command that takes about so many bytes and can be told from others by its number.
pub(super) fn command(number: u64, bytes: usize) -> Command {
    let task = TaskId::for_agent(AgentId::from_name("alice"), Uuid::from_u128(u128::from(number)));
    let reason = "x".repeat(bytes.saturating_sub(32)).into();
    Command::Cancel { task, reason, now: Timestamp::from_millis(number) }
}

pub(super) fn entry_of(term: u64, index: u64, bytes: usize) -> Entry {
    Entry::new_normal(id(term, index), Entries::Shard(vec![command(term * 1_000_000 + index, bytes)]))
}

pub(super) fn entry(term: u64, index: u64) -> Entry {
    entry_of(term, index, 64)
}

/// An append that is in line; tells when it is durable.
pub(super) async fn begin_append(log: &mut GroupLog, entries: Vec<Entry>) -> impl Future<Output = bool> + use<> {
    let (told, done) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(told)).await.unwrap();
    async move { matches!(done.await, Ok(Ok(()))) }
}

/// A truncation that is in line; it ends when it is durable.
pub(super) async fn begin_truncate(log: &GroupLog, after: LogId) -> tokio::task::JoinHandle<()> {
    let mut truncating = log.clone();
    let done = tokio::spawn(async move { truncating.truncate_after(Some(after)).await.unwrap() });
    eventually("the truncation", || log.last() == Some(after)).await;
    done
}

/// Appends, and waits until that is durable.
pub(super) async fn append(log: &mut GroupLog, entries: Vec<Entry>) {
    let done = begin_append(log, entries).await;
    assert!(within(done).await, "an append was given up");
}

/// What a future gives, in time.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it did not happen in time")
}

/// The ids of all entries.
pub(super) async fn ids(log: &GroupLog) -> Vec<LogId> {
    entries(log).await.iter().map(|entry| entry.log_id).collect()
}

/// All entries.
pub(super) async fn entries(log: &GroupLog) -> Vec<Entry> {
    log.clone().try_get_log_entries(..).await.unwrap()
}

/// Waits until `condition` holds.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen in time");
        tokio::task::yield_now().await;
    }
}

/// What lies in the store of a group, past everything in memory.
pub(super) fn stored(host: &LogHost, group: GroupId) -> Vec<u64> {
    let guard = host.shared().store.guard();
    let range = super::super::keys::entries(group, 0, u64::MAX);
    let snapshot = guard.as_ref().unwrap().snapshot().unwrap();
    let rows =
        snapshot.page(octopussy_store::Keyspace::Log, &range, octopussy_store::Direction::Forward, usize::MAX).unwrap();
    rows.iter().map(|(key, _)| super::super::keys::parse_entry(key).unwrap().1).collect()
}

/// A small source of numbers that a seed determines.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // xorshift64*, by Vigna.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}
