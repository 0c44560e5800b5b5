//! Reads what is stored when the state is opened.

use super::config::StateConfig;
use super::control_cell::ControlCell;
use super::dirty::Dirty;
use super::flush_signal::FlushSignal;
use super::group_record::GroupRecord;
use super::keys::{self, Slot};
use super::leading::Observers;
use super::records;
use super::shard_cell::{ShardCell, ShardState};
use super::shared::{Garbage, Shared};
use super::snapshot::temporary;
use super::view::{AgentCache, Life, View};
use crate::error::{OpenError, cold_error};
use crate::failure::Failures;
use crate::raft::GroupId;
use crate::stores::{Opener, StoreCell};
use lru::LruCache;
use octopussy_control::ControlState;
use octopussy_core::ids::{ShardId, TaskId};
use octopussy_ledger::{ColdError, Machine};
use octopussy_store::{Batch, Direction, Durability, KeyRange, Keyspace, Snapshot, StoreOptions};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64};

/// How many agents without tasks are kept ready to read: what one busy minute touches, at a few kilobytes each.
const AGENTS_CACHED: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The layout of the state store that this build writes and reads.
const LAYOUT: u16 = 2;

/// Opens the store and reads every group that is in it.
pub(super) fn open(config: StateConfig, opener: Opener) -> Result<Shared, OpenError> {
    let directory = |source| OpenError::Directory { path: config.dir.clone(), source };
    std::fs::create_dir_all(&config.dir).map_err(directory)?;
    temporary::prepare(&config.dir).map_err(directory)?;
    let path = config.dir.join(format!("state.{}", config.engine.extension()));
    let options = StoreOptions { engine: config.engine, cache_bytes: config.cache_bytes, quick_reopen: true };
    let store = StoreCell::open(path, options, opener)?;
    let record = |error: ColdError| OpenError::Record { path: config.dir.clone(), detail: error.0.to_string() };
    if !check_layout(&store).map_err(record)? {
        return Err(OpenError::Layout { path: config.dir.clone() });
    }
    let loaded = load(&store).map_err(record)?;
    let count = loaded.control.published.borrow().cluster.as_ref().map_or(0, |cluster| cluster.shards.get());
    let signal = FlushSignal::new();
    if !loaded.garbage.is_empty() {
        signal.touched();
    }
    Ok(Shared {
        config,
        store,
        shards: RwLock::new(loaded.shards),
        control: loaded.control,
        count: AtomicU16::new(count),
        agents: agent_cache(),
        observers: Observers::default(),
        failures: Failures::default(),
        signal,
        garbage: Mutex::new(loaded.garbage),
        applied: AtomicU64::new(0),
        snapshots: AtomicU64::new(0),
    })
}

fn agent_cache() -> AgentCache {
    Mutex::new(LruCache::new(AGENTS_CACHED))
}

/// Whether the store has the layout of this build; a new one is given it.
fn check_layout(store: &StoreCell) -> Result<bool, ColdError> {
    let (layout, old) = store.read(|snapshot| {
        let row = |key| snapshot.get(Keyspace::Meta, key).map_err(|error| cold_error(&error));
        Ok((row(keys::LAYOUT)?, row(keys::OLD_SHARDS)?))
    })?;
    if layout.is_none() && old.is_none() {
        let mut batch = Batch::new();
        batch.put(Keyspace::Meta, keys::LAYOUT, LAYOUT.to_be_bytes());
        store.commit(&batch, Durability::Fsync).map_err(|error| cold_error(&error))?;
        return Ok(true);
    }
    Ok(layout.as_deref() == Some(&LAYOUT.to_be_bytes()))
}

struct Loaded {
    shards: BTreeMap<ShardId, Arc<ShardCell>>,
    control: ControlCell,
    garbage: Vec<Garbage>,
}

fn load(store: &StoreCell) -> Result<Loaded, ColdError> {
    let mut groups = BTreeMap::new();
    let mut garbage = Vec::new();
    let (control, known) = store.read(|snapshot| {
        for (key, value) in rows(snapshot, keys::GROUPS)? {
            let id = keys::group_of(&key).ok_or_else(|| ColdError("a group's key".into()))?;
            groups.insert(id, records::decode::<GroupRecord>("a group", &value)?);
        }
        let slots = rows(snapshot, keys::GARBAGE)?.into_iter().filter_map(|(key, _)| keys::garbage_of(&key));
        garbage.extend(slots.map(|slot| Garbage { slot, whole: false }));
        let state = |key| {
            let state = snapshot.get(Keyspace::Meta, key).map_err(|error| cold_error(&error))?;
            state.map(|state| records::decode::<ControlState>("the control group", &state)).transpose()
        };
        Ok((state(keys::CONTROL)?, state(keys::CONTROL_KNOWN)?))
    })?;
    let record = groups.remove(&GroupId::CONTROL).unwrap_or_default();
    let mut shards = BTreeMap::new();
    for (id, record) in groups {
        let Some(shard) = id.shard() else { continue };
        let slot = record.slot(shard);
        let machine = machine(slot, &record, store)?;
        shards.insert(shard, Arc::new(ShardCell::new(ShardState::stored(slot, machine, &record))));
    }
    let control = ControlCell::new(control.unwrap_or_default(), &record, known);
    Ok(Loaded { shards, control, garbage })
}

fn rows(snapshot: &dyn Snapshot, prefix: &[u8]) -> Result<Vec<octopussy_store::Row>, ColdError> {
    snapshot
        .page(Keyspace::Meta, &KeyRange::prefix(prefix), Direction::Forward, usize::MAX)
        .map_err(|error| cold_error(&error))
}

/// The machine of the rows in `slot`.
pub(super) fn machine(slot: Slot, record: &GroupRecord, store: &StoreCell) -> Result<Machine, ColdError> {
    let hot = store.read(|snapshot| hot_tasks(snapshot, slot))?;
    // One by one: their texts need not fit into memory together.
    let tasks = hot.into_iter().map(|id| {
        let task = store.read(|snapshot| records::read_task(snapshot, slot, id))?;
        task.ok_or_else(|| ColdError(format!("task {id} is listed but missing").into()))
    });
    let nothing = Dirty::default();
    // A cache of its own, for it is of no use after this.
    let agents = agent_cache();
    let view = View { slot, active: &nothing, flushing: None, store, agents: &agents, life: Life::next() };
    Machine::restore(slot.shard, record.shard, tasks, &view)
}

fn hot_tasks(snapshot: &dyn Snapshot, slot: Slot) -> Result<Vec<TaskId>, ColdError> {
    let mut ids: Vec<TaskId> = Vec::new();
    snapshot
        .scan(Keyspace::HotTasks, &KeyRange::prefix(&slot.prefix()), Direction::Forward, &mut |key, _| {
            ids.extend(keys::task_at_end(key));
            ControlFlow::Continue(())
        })
        .map_err(|error| cold_error(&error))?;
    Ok(ids)
}
