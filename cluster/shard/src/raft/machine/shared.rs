//! What the host, its machines and its flusher share.

use super::config::StateConfig;
use super::control_cell::ControlCell;
use super::flush_signal::{Closed, FlushSignal};
use super::group_record::SnapshotMeta;
use super::keys::Slot;
use super::leading::Observers;
use super::shard_cell::{ShardCell, ShardState};
use super::view::AgentCache;
use crate::failure::{Failures, Part};
use crate::raft::GroupId;
use crate::stores::StoreCell;
use octopussy_control::ControlState;
use octopussy_core::ids::{ShardCount, ShardId};
use octopussy_core::ports::ProposeError;
use octopussy_ledger::ColdError;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

/// How often something is tried again that the store did not let pass.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Rows that are to be deleted. A slot is in it once: whoever comes after takes the next generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Garbage {
    pub(super) slot: Slot,
    /// Whether the whole group is forgotten; otherwise its rows lie in another slot now.
    pub(super) whole: bool,
}

/// What the host, its machines and its flusher share.
pub(super) struct Shared {
    pub(super) config: StateConfig,
    pub(super) store: StoreCell,
    pub(super) shards: RwLock<BTreeMap<ShardId, Arc<ShardCell>>>,
    pub(super) control: ControlCell,
    /// How many shards the cluster has; 0 before that is known.
    pub(super) count: AtomicU16,
    pub(super) agents: AgentCache,
    pub(super) observers: Observers,
    pub(super) failures: Failures,
    pub(super) signal: FlushSignal,
    /// What is to be deleted with the next flush.
    pub(super) garbage: Mutex<Vec<Garbage>>,
    /// Entries applied since the start, of all groups.
    pub(super) applied: AtomicU64,
    /// Numbers the files of snapshots.
    pub(super) snapshots: AtomicU64,
}

impl Shared {
    pub(super) fn cell(&self, shard: ShardId) -> Option<Arc<ShardCell>> {
        self.shards.read().get(&shard).map(Arc::clone)
    }

    /// The state of a shard as it is now, empty when there is none.
    pub(super) fn cell_or_new(&self, shard: ShardId) -> Arc<ShardCell> {
        let mut shards = self.shards.write();
        let cell = shards.entry(shard).or_insert_with(|| {
            // Rows of a shard that was forgotten a moment ago may still be there, in the slot that it had.
            let last = self.garbage.lock().iter().rev().find(|garbage| garbage.slot.shard == shard).copied();
            let slot = last.map_or(Slot { shard, generation: 0 }, |garbage| garbage.slot.next());
            Arc::new(ShardCell::new(ShardState::empty(slot)))
        });
        Arc::clone(cell)
    }

    pub(super) fn count(&self) -> Option<ShardCount> {
        ShardCount::new(self.count.load(Ordering::Acquire))
    }

    /// Notes what the control group says of the number of shards.
    pub(super) fn learn_count(&self, state: &ControlState) {
        if let Some(cluster) = &state.cluster {
            self.count.store(cluster.shards.get(), Ordering::Release);
        }
    }

    /// What the stored state of a group says of itself.
    pub(super) fn durable(&self, group: GroupId) -> SnapshotMeta {
        match group.shard() {
            None => self.control.inner.lock().durable.clone(),
            Some(shard) => self.cell(shard).map(|cell| cell.state.read().durable.clone()).unwrap_or_default(),
        }
    }

    /// Does `action` again and again until the store lets it pass.
    ///
    /// # Errors
    /// [`Closed`] when the host closes first: what is not stored is in the log.
    pub(super) async fn insist<T>(&self, mut action: impl FnMut() -> Result<T, ColdError>) -> Result<T, Closed> {
        let error = match action() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        self.failures.set(Part::Applier, ProposeError::Store(Arc::clone(&error.0)));
        loop {
            self.signal.pause(RETRY_AFTER).await?;
            if let Err(error) = self.store.reopen() {
                tracing::debug!(%error, "the state store still cannot be opened");
                continue;
            }
            match action() {
                Ok(done) => {
                    self.failures.clear(Part::Applier);
                    return Ok(done);
                }
                Err(error) => tracing::debug!(%error, "the state still cannot be read"),
            }
        }
    }
}
