//! The ledger of a cluster of one node: it leads every shard.

use crate::applier::{Applier, FLUSH_BYTES};
use crate::config::ShardConfig;
use crate::dirty::Dirty;
use crate::error::OpenError;
use crate::flusher::Flusher;
use crate::inner::Inner;
use crate::maintenance::Maintenance;
use crate::proposal::{Proposal, Reply};
use crate::queue::Urgency;
use crate::state::State;
use crate::stores::{Opener, StoreCell};
use crate::view::AgentCache;
use crate::writer::{BATCHES_AHEAD, Writer};
use crate::{keys, log_batch, records};
use lru::LruCache;
use octopussy_core::ids::{NodeId, ShardCount, TaskId};
use octopussy_core::ports::ProposeError;
use octopussy_core::task::Command;
use octopussy_core::time::Clock;
use octopussy_ledger::{ColdError, HotTask, Machine, ShardRecord};
use octopussy_store::{Batch, Direction, Durability, Engine, KeyRange, Keyspace, StoreOptions};
use parking_lot::{Mutex, RwLock};
use std::num::NonZeroUsize;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many agents without tasks are kept ready to read: what one busy minute touches, at a few kilobytes each.
const AGENTS_CACHED: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The log's cache: it is written once and read at a start only.
const LOG_CACHE_BYTES: usize = 4 * 1024 * 1024;

/// The ledger of a cluster of one node: it leads every shard. Implements `LedgerPort`.
///
/// Dropping it stops its threads after everything in line is applied and stored; [`SingleNode::close`] does the same with
/// a deadline.
pub struct SingleNode {
    pub(crate) inner: Arc<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closed: watch::Receiver<bool>,
}

impl SingleNode {
    /// Opens the shards in `config.dir`, or makes them: reads the state, replays the log's tail, starts the threads and a
    /// new epoch of every shard. Blocks while it does.
    ///
    /// # Errors
    /// [`OpenError`]; the message names the path and the way out.
    pub fn open(config: ShardConfig, clock: Arc<dyn Clock>, node: NodeId) -> Result<Arc<Self>, OpenError> {
        Self::open_with(config, clock, node, Arc::new(octopussy_store::open))
    }

    pub(crate) fn open_with(
        config: ShardConfig,
        clock: Arc<dyn Clock>,
        node: NodeId,
        opener: Opener,
    ) -> Result<Arc<Self>, OpenError> {
        std::fs::create_dir_all(&config.dir)
            .map_err(|source| OpenError::Directory { path: config.dir.clone(), source })?;
        let (log, store) = open_stores(&config, &opener)?;
        check_shard_count(&config, &store)?;
        let agents: AgentCache = Mutex::new(LruCache::new(AGENTS_CACHED));
        let (state, last) =
            load(&config, &log, &store, &agents).map_err(|error| OpenError::record(&config.dir, &error))?;
        let inner = Arc::new(Inner {
            epochs: config.shards.all().map(|_| AtomicU64::new(0)).collect(),
            config,
            node,
            clock,
            queue: crate::queue::Queue::default(),
            failures: crate::failure::Failures::default(),
            state: RwLock::new(state),
            log,
            store,
            agents,
            waiters: crate::waiters::Waiters::default(),
            observers: RwLock::default(),
            applied: AtomicU64::new(last),
            durable: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
        });
        let opened = Self::start(inner, last + 1)?;
        opened.activate().map_err(OpenError::Activate)?;
        Ok(Arc::new(opened))
    }

    fn start(inner: Arc<Inner>, next: u64) -> Result<Self, OpenError> {
        let (to_applier, committed) = sync_channel(BATCHES_AHEAD);
        let (to_flusher, changes) = sync_channel(1);
        let (note, flushed) = sync_channel(1);
        let (done, closed) = watch::channel(false);
        let writer =
            Writer { inner: Arc::clone(&inner), applier: to_applier, next, purged: 0, maintenance: Maintenance::new() };
        let applier =
            Applier { inner: Arc::clone(&inner), committed, flusher: to_flusher, flushed, last_flush: Instant::now() };
        let flusher = Flusher { inner: Arc::clone(&inner), changes, flushed: note };
        let last = Arc::clone(&inner);
        let threads = vec![
            spawn("log-writer", move || writer.run())?,
            spawn("log-applier", move || applier.run())?,
            spawn("state-flusher", move || {
                flusher.run();
                // The last of the three to end, since each ends when the one before it has.
                last.log.close();
                last.store.close();
                done.send_replace(true);
            })?,
        ];
        Ok(Self { inner, threads: Mutex::new(threads), closed })
    }

    /// Starts a new epoch of every shard.
    fn activate(&self) -> Result<(), ProposeError> {
        let now = self.inner.clock.now();
        let max_age = self.inner.config.max_recovery_age;
        let mut answers = Vec::new();
        for shard in self.inner.config.shards.all() {
            let (reply, answer) = sync_channel(1);
            let command = Command::Activate { shard, node: self.inner.node, now, max_age };
            let encoded =
                records::encode("a command", &command).map_err(|error| ProposeError::Store(Arc::clone(&error.0)))?;
            let proposal = Proposal { shard, command, encoded, reply: Reply::Thread(reply) };
            self.inner.queue.push(proposal, Urgency::InProgress)?;
            answers.push(answer);
        }
        for answer in answers {
            answer.recv().map_err(|_| ProposeError::Stopping)??;
        }
        Ok(())
    }

    /// Takes no more proposals, applies what is in line, stores everything and lets go of the files. Answers whether that
    /// was done within `limit`; otherwise it goes on behind, and what is not stored is in the log.
    pub async fn close(&self, limit: Duration) -> bool {
        self.inner.queue.close();
        let mut closed = self.closed.clone();
        let done = tokio::time::timeout(limit, closed.wait_for(|done| *done)).await.is_ok_and(|done| done.is_ok());
        // They may hold what holds this.
        self.inner.observers.write().clear();
        done
    }

    /// The bytes that log and state take on the disk.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        let size = |cell: &StoreCell| cell.guard().as_ref().and_then(|store| store.size().ok()).unwrap_or(0);
        size(&self.inner.log) + size(&self.inner.store)
    }
}

impl Drop for SingleNode {
    fn drop(&mut self) {
        self.inner.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock());
        // Each of the threads waits for the one before it: one of them, in an observer, must not wait for any.
        let here = std::thread::current().id();
        if threads.iter().any(|thread| thread.thread().id() == here) {
            return;
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::Thread)
}

fn open_stores(config: &ShardConfig, opener: &Opener) -> Result<(StoreCell, StoreCell), OpenError> {
    let extension = match config.engine {
        Engine::Redb => "redb",
        Engine::Sled => "sled",
    };
    let path = |name: &str| config.dir.join(format!("{name}.{extension}"));
    let log = StoreOptions { engine: config.engine, cache_bytes: LOG_CACHE_BYTES, quick_reopen: false };
    let state = StoreOptions { engine: config.engine, cache_bytes: config.cache_bytes(), quick_reopen: true };
    Ok((
        StoreCell::open(path("log"), log, Arc::clone(opener))?,
        StoreCell::open(path("state"), state, Arc::clone(opener))?,
    ))
}

/// Compares the number of shards with that of the directory, or writes it into a new one.
fn check_shard_count(config: &ShardConfig, store: &StoreCell) -> Result<(), OpenError> {
    let record = |error: &ColdError| OpenError::record(&config.dir, error);
    let found = store.with(|store| store.get(Keyspace::Meta, keys::SHARDS)).map_err(|error| record(&error))?;
    let Some(found) = found else {
        let mut batch = Batch::new();
        batch.put(Keyspace::Meta, keys::SHARDS, config.shards.get().to_be_bytes());
        return Ok(store.commit(batch, Durability::Fsync)?);
    };
    let found = <[u8; 2]>::try_from(found.as_slice()).ok().and_then(|bytes| ShardCount::new(u16::from_be_bytes(bytes)));
    match found {
        Some(found) if found == config.shards => Ok(()),
        Some(found) => Err(OpenError::ShardCount { path: config.dir.clone(), found, configured: config.shards }),
        None => Err(record(&ColdError("the number of shards".into()))),
    }
}

/// Reads the state and replays what the log has beyond it; says how far the log goes.
fn load(
    config: &ShardConfig,
    log: &StoreCell,
    store: &StoreCell,
    agents: &AgentCache,
) -> Result<(State, u64), ColdError> {
    let mut state = State { machines: Vec::new(), active: Dirty::default(), flushing: None };
    let mut hot = load_hot(config, store)?;
    for shard in config.shards.all() {
        let record = store.with(|store| store.get(Keyspace::Meta, &keys::shard(shard)))?;
        let record: ShardRecord =
            record.map_or(Ok(ShardRecord::default()), |bytes| records::decode("a shard", &bytes))?;
        let tasks = hot.get_mut(usize::from(shard.0)).map(std::mem::take).unwrap_or_default();
        let machine = Machine::restore(shard, record, tasks, &state.view(shard, store, agents))?;
        state.machines.push(machine);
    }
    let last = replay(&mut state, log, store, agents)?;
    Ok((state, last))
}

/// The tasks that had not ended, by shard.
fn load_hot(config: &ShardConfig, store: &StoreCell) -> Result<Vec<Vec<HotTask>>, ColdError> {
    let mut hot: Vec<Vec<HotTask>> = config.shards.all().map(|_| Vec::new()).collect();
    store.read(|snapshot| {
        let mut ids: Vec<TaskId> = Vec::new();
        snapshot
            .scan(Keyspace::HotTasks, &KeyRange::ALL, Direction::Forward, &mut |key, _| {
                ids.extend(keys::task_at_end(key));
                ControlFlow::Continue(())
            })
            .map_err(|error| crate::error::cold_error(&error))?;
        for id in ids {
            let task = records::read_task(snapshot, id)?
                .ok_or_else(|| ColdError(format!("task {id} is listed but missing").into()))?;
            if let Some(shard) = hot.get_mut(usize::from(config.shards.shard_of_task(id).0)) {
                shard.push(task);
            }
        }
        Ok(())
    })?;
    Ok(hot)
}

fn replay(state: &mut State, log: &StoreCell, store: &StoreCell, agents: &AgentCache) -> Result<u64, ColdError> {
    let applied = store.with(|store| store.get(Keyspace::Meta, keys::APPLIED))?;
    let applied = applied.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map_or(0, u64::from_be_bytes);
    let mut last = applied;
    let mut from = Bound::Unbounded;
    loop {
        let range = KeyRange { from, to: Bound::Unbounded };
        let rows = log.with(|log| log.snapshot()?.page(Keyspace::Log, &range, Direction::Forward, 1))?;
        let Some((key, value)) = rows.into_iter().next() else { return Ok(last) };
        let first = <[u8; 8]>::try_from(key.as_slice())
            .map(u64::from_be_bytes)
            .map_err(|_| ColdError("a record of the log has no index".into()))?;
        // Records at or below what is stored may be left over from before the last purge.
        if first > applied {
            last = replay_record(state, first, &value, store, agents)?;
        }
        from = Bound::Excluded(key);
    }
}

fn replay_record(
    state: &mut State,
    first: u64,
    value: &[u8],
    store: &StoreCell,
    agents: &AgentCache,
) -> Result<u64, ColdError> {
    let mut index = first;
    for (shard, command) in log_batch::decode(value)? {
        state.apply(index, shard, command, store, agents)?;
        index += 1;
    }
    if state.active.bytes >= FLUSH_BYTES {
        let batch = std::mem::take(&mut state.active).to_batch()?;
        store.commit(batch, Durability::Fsync).map_err(|error| crate::error::cold_error(&error))?;
    }
    Ok(index - 1)
}
