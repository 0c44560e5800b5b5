//! The flusher: brings what has been applied into the state store, beside everybody's way.

use super::control_cell::ControlChanges;
use super::flush_signal::Round;
use super::group_record::GroupRecord;
use super::keys::{self, Slot};
use super::records;
use super::shard_cell::{Changes, ShardCell};
use super::shared::{Garbage, RETRY_AFTER, Shared};
use crate::error::{cold_error, propose_error};
use crate::failure::Part;
use crate::raft::GroupId;
use crate::work::Worker;
use octopussy_core::ports::ProposeError;
use octopussy_ledger::ColdError;
use octopussy_store::{Batch, Durability, KeyRange, Keyspace, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// How soon it looks again for a shard that was within an entry.
const AGAIN_AFTER: Duration = Duration::from_millis(10);

/// The keyspaces that hold the rows of shards.
pub(super) const SHARD_KEYSPACES: [Keyspace; 11] = [
    Keyspace::Agents,
    Keyspace::AgentStates,
    Keyspace::Tasks,
    Keyspace::TaskStates,
    Keyspace::Steps,
    Keyspace::HotTasks,
    Keyspace::TasksByAgent,
    Keyspace::TasksByState,
    Keyspace::TasksByEnd,
    Keyspace::Idempotency,
    Keyspace::IdempotencyByTime,
];

/// Deletes the rows of a slot.
pub(super) fn clear(slot: Slot, batch: &mut Batch) {
    for keyspace in SHARD_KEYSPACES {
        batch.delete_range(keyspace, KeyRange::prefix(&slot.prefix()));
    }
}

/// What one transaction brings into the store.
#[derive(Default)]
struct Load {
    garbage: Vec<Garbage>,
    shards: Vec<(Arc<ShardCell>, Arc<Changes>)>,
    control: Option<ControlChanges>,
    /// Whether a shard was left out for a moment.
    more: bool,
}

/// Stores changes durably, after which the log need not hold them. One thread does it for all groups.
pub(super) struct Flusher {
    pub(super) shared: Arc<Shared>,
}

impl Worker for Flusher {
    /// Runs until the host closes; then lets go of the store.
    fn run(self) {
        while self.work_off(self.shared.signal.next(self.shared.config.flush_interval)) {}
    }

    #[cfg(test)]
    fn turn(&mut self) -> bool {
        self.shared.signal.due(self.shared.config.flush_interval).is_none_or(|round| self.work_off(round))
    }
}

impl Flusher {
    /// Does a round. Says whether there will be more; after the last one it has let go of the store.
    fn work_off(&self, round: Round) -> bool {
        let load = self.collect();
        if self.store(&load) {
            self.settle(load, round);
            if !round.last {
                return true;
            }
        }
        self.shared.store.close();
        self.shared.signal.ended();
        false
    }

    fn settle(&self, load: Load, round: Round) {
        let signal = &self.shared.signal;
        for (cell, changes) in load.shards {
            cell.stored(&changes);
            signal.subtract(changes.dirty.bytes);
        }
        if let Some(control) = load.control {
            self.shared.control.stored(&control);
        }
        self.shared.garbage.lock().retain(|garbage| !load.garbage.contains(garbage));
        signal.done(round);
        if load.more {
            signal.touched();
            signal.wait_closing(AGAIN_AFTER);
        }
    }

    fn collect(&self) -> Load {
        let mut load = Load {
            // Before the shards: whose rows are deleted here adds none any more.
            garbage: self.shared.garbage.lock().clone(),
            control: self.shared.control.take_changes(),
            ..Load::default()
        };
        let cells: Vec<_> = self.shared.shards.read().values().map(Arc::clone).collect();
        for cell in cells {
            let (changes, more) = cell.take_changes();
            load.more |= more;
            load.shards.extend(changes.map(|changes| (cell, changes)));
        }
        load
    }

    /// Stores it, trying again until it works or the host closes.
    fn store(&self, load: &Load) -> bool {
        let mut failed = false;
        loop {
            match self.attempt(load, failed) {
                Ok(()) => {
                    if failed {
                        self.shared.failures.clear(Part::State);
                    }
                    return true;
                }
                Err(error) if failed => tracing::debug!(%error, "the state store still cannot be written"),
                Err(_) => failed = true,
            }
            if self.shared.signal.wait_closing(RETRY_AFTER) {
                // What is not stored is in the log.
                return false;
            }
        }
    }

    fn attempt(&self, load: &Load, again: bool) -> Result<(), ColdError> {
        let report = |error: &StoreError| {
            if !again {
                self.shared.failures.set(Part::State, propose_error(error));
            }
            cold_error(error)
        };
        let batch = load.to_batch().inspect_err(|error| {
            self.shared.failures.set(Part::State, ProposeError::Store(Arc::clone(&error.0)));
        })?;
        if batch.is_empty() {
            return Ok(());
        }
        if again {
            self.shared.store.reopen().map_err(|error| report(&error))?;
        }
        self.shared.store.commit(&batch, Durability::Fsync).map_err(|error| report(&error))
    }
}

impl Load {
    fn to_batch(&self) -> Result<Batch, ColdError> {
        let mut batch = Batch::new();
        for Garbage { slot, whole } in &self.garbage {
            clear(*slot, &mut batch);
            batch.delete(Keyspace::Meta, keys::garbage(*slot));
            if *whole {
                batch.delete(Keyspace::Meta, keys::group(GroupId::of(slot.shard)));
            }
        }
        for (cell, changes) in &self.shards {
            changes.dirty.store(changes.slot, &mut batch)?;
            put_group(GroupId::of(cell.shard), &changes.record, &mut batch)?;
        }
        if let Some(control) = &self.control {
            batch.put(Keyspace::Meta, keys::CONTROL, records::encode("the control group", control.state.as_ref())?);
            put_group(GroupId::CONTROL, &control.record, &mut batch)?;
            match &control.known {
                Some(known) => {
                    let known = records::encode("the control group", known.as_ref())?;
                    batch.put(Keyspace::Meta, keys::CONTROL_KNOWN, known);
                }
                None => batch.delete(Keyspace::Meta, keys::CONTROL_KNOWN),
            }
        }
        Ok(batch)
    }
}

/// Adds what a group keeps of itself to a batch.
pub(super) fn put_group(group: GroupId, record: &GroupRecord, batch: &mut Batch) -> Result<(), ColdError> {
    batch.put(Keyspace::Meta, keys::group(group), records::encode("a group", record)?);
    Ok(())
}
