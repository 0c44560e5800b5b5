//! What a machine reads of its shard's state: what is not stored yet over what is.

use super::dirty::{Dirty, Latest};
use super::keys::{self, Slot};
use super::records;
use crate::stores::StoreCell;
use lru::LruCache;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::task::{TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use octopussy_ledger::{Cold, ColdError, EndedTask, IdempotencyEntry, IdempotencyKey};
use octopussy_store::{Direction, KeyRange, Keyspace};
use parking_lot::Mutex;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Agents read lately, by the life of the shard's state in which they were read: a state that takes the place of another, or comes
/// back after it was deleted, must find nothing here that somebody read in the one before.
pub(super) type AgentCache = Mutex<LruCache<(Life, AgentId), Arc<AgentRecord>>>;

/// One life of a shard's state on this node: from its opening, installation or first entry until it is replaced or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Life(u64);

impl Life {
    /// One that never was before in this process.
    pub(super) fn next() -> Self {
        static LIVES: AtomicU64 = AtomicU64::new(0);
        Self(LIVES.fetch_add(1, Ordering::Relaxed))
    }
}

/// One shard's state besides what its machine keeps in memory.
pub(super) struct View<'a> {
    pub(super) slot: Slot,
    pub(super) active: &'a Dirty,
    pub(super) flushing: Option<&'a Dirty>,
    pub(super) store: &'a StoreCell,
    pub(super) agents: &'a AgentCache,
    pub(super) life: Life,
}

impl View<'_> {
    /// The layers that are not stored yet, newest first.
    fn layers(&self) -> impl Iterator<Item = &Dirty> {
        std::iter::once(self.active).chain(self.flushing)
    }

    fn pending_task(&self, id: TaskId) -> Option<&Latest> {
        self.layers().find_map(|dirty| dirty.find_task(id))
    }

    fn stored_ended(&self, before: Timestamp, limit: usize) -> Result<Vec<EndedTask>, ColdError> {
        let range = KeyRange {
            from: Bound::Included(keys::from_moment(self.slot, Timestamp::EPOCH)),
            to: Bound::Excluded(keys::from_moment(self.slot, before)),
        };
        let mut found = Vec::new();
        self.store.with(|store| {
            store.snapshot()?.scan(Keyspace::TasksByEnd, &range, Direction::Forward, &mut |key, _| {
                if let (Some(at), Some(task)) = (keys::moment(key), keys::task_at_end(key))
                    && self.pending_task(task).is_none()
                {
                    found.push(EndedTask { at, task });
                }
                if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })?;
        Ok(found)
    }

    fn stored_dead(&self, limit: usize) -> Result<Vec<TaskId>, ColdError> {
        let range = KeyRange::prefix(&keys::of_state(self.slot, TaskState::DeadLettered));
        let mut found = Vec::new();
        self.store.with(|store| {
            store.snapshot()?.scan(Keyspace::TasksByState, &range, Direction::Forward, &mut |key, _| {
                found.extend(keys::task_at_end(key).filter(|task| self.pending_task(*task).is_none()));
                if found.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })?;
        Ok(found)
    }

    fn stored_keys(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(IdempotencyKey, IdempotencyEntry)>, ColdError> {
        let range = KeyRange {
            from: Bound::Included(keys::from_moment(self.slot, Timestamp::EPOCH)),
            to: Bound::Excluded(keys::from_moment(self.slot, before)),
        };
        let mut found = Vec::new();
        let mut failed = None;
        self.store.with(|store| {
            store.snapshot()?.scan(Keyspace::IdempotencyByTime, &range, Direction::Forward, &mut |key, value| {
                let Some(key) = keys::idempotency_key(key) else { return ControlFlow::Continue(()) };
                if self.layers().any(|dirty| dirty.find_key(&key).is_some()) {
                    return ControlFlow::Continue(());
                }
                match records::decode("an idempotency key", value) {
                    Ok(entry) => found.push((key, entry)),
                    Err(error) => failed = Some(error),
                }
                if found.len() >= limit || failed.is_some() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        })?;
        failed.map_or(Ok(found), Err)
    }
}

impl Cold for View<'_> {
    fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ColdError> {
        if let Some(latest) = self.pending_task(id) {
            return Ok(latest.record().cloned());
        }
        self.store.read(|snapshot| records::read_task(snapshot, self.slot, id)).map(|task| task.map(|task| task.record))
    }

    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ColdError> {
        if let Some(agent) = self.layers().find_map(|dirty| dirty.find_agent(id)) {
            return Ok(agent.cloned());
        }
        if let Some(agent) = self.agents.lock().get(&(self.life, id)) {
            return Ok(Some(Arc::clone(agent)));
        }
        let Some(agent) = self.store.read(|snapshot| records::read_agent(snapshot, self.slot, id))? else {
            return Ok(None);
        };
        let agent = Arc::new(agent);
        self.agents.lock().put((self.life, id), Arc::clone(&agent));
        Ok(Some(agent))
    }

    fn idempotency(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyEntry>, ColdError> {
        if let Some(entry) = self.layers().find_map(|dirty| dirty.find_key(key)) {
            return Ok(entry);
        }
        let stored = self.store.with(|store| store.get(Keyspace::Idempotency, &keys::idempotency(self.slot, key)))?;
        stored.map(|bytes| records::decode("an idempotency key", &bytes)).transpose()
    }

    fn ended_before(&self, before: Timestamp, limit: usize) -> Result<Vec<EndedTask>, ColdError> {
        let mut found = self.stored_ended(before, limit)?;
        for (newer, dirty) in [(None, Some(self.active)), (Some(self.active), self.flushing)] {
            for record in dirty.into_iter().flat_map(|dirty| dirty.ended()) {
                let replaced = newer.is_some_and(|newer| newer.find_task(record.id).is_some());
                if record.updated_at < before && !replaced {
                    found.push(EndedTask { at: record.updated_at, task: record.id });
                }
            }
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<TaskId>, ColdError> {
        let mut found = self.stored_dead(limit)?;
        for (newer, dirty) in [(None, Some(self.active)), (Some(self.active), self.flushing)] {
            let dead = dirty.into_iter().flat_map(|dirty| dirty.dead());
            found.extend(dead.filter(|id| newer.is_none_or(|newer| newer.find_task(*id).is_none())));
        }
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    fn keys_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(IdempotencyKey, IdempotencyEntry)>, ColdError> {
        let mut found = self.stored_keys(before, limit)?;
        for (newer, dirty) in [(None, Some(self.active)), (Some(self.active), self.flushing)] {
            for (key, entry) in dirty.into_iter().flat_map(|dirty| dirty.keys()) {
                let replaced = newer.is_some_and(|newer| newer.find_key(key).is_some());
                if entry.at < before && !replaced {
                    found.push((key.clone(), entry));
                }
            }
        }
        found.sort_unstable_by(|(a, left), (b, right)| left.at.cmp(&right.at).then_with(|| a.cmp(b)));
        found.truncate(limit);
        Ok(found)
    }
}
