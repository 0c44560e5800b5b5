//! The state of all groups of this node.

use super::config::StateConfig;
use super::control::ControlStateMachine;
use super::flush_signal::Closed;
use super::flusher::Flusher;
use super::group_record::{LogId, Membership};
use super::opening;
use super::shard::ShardMachine;
use super::shared::{Garbage, Shared};
use super::snapshot::{SnapshotError, SnapshotWriter};
use crate::error::{OpenError, propose_error};
use crate::raft::GroupId;
use crate::stores::Opener;
use crate::work;
use octopussy_control::ControlState;
#[cfg(test)]
use octopussy_core::ids::ShardCount;
use octopussy_core::ids::{Epoch, ShardId};
use octopussy_core::ports::{LedgerObserver, ProposeError};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// The state of all groups of this node: one store, one thread that brings changes into it.
///
/// Dropping it stores what is applied; the machines are of no use after that.
pub(crate) struct StateHost {
    pub(super) shared: Arc<Shared>,
    flusher: Mutex<Option<JoinHandle<()>>>,
}

impl StateHost {
    /// Opens the state in `config.dir` with an engine of the store's own.
    #[cfg(test)]
    pub(super) fn open(config: StateConfig) -> Result<Arc<Self>, OpenError> {
        Self::open_with(config, Arc::new(octopussy_store::open))
    }

    /// Opens the state in `config.dir`, or makes it, with every group that was there. Blocks while it does.
    pub(crate) fn open_with(config: StateConfig, opener: Opener) -> Result<Arc<Self>, OpenError> {
        let shared = Arc::new(opening::open(config, opener)?);
        let flusher = Flusher { shared: Arc::clone(&shared) };
        let thread = work::start("state-flusher", flusher).map_err(OpenError::Thread)?;
        Ok(Arc::new(Self { shared, flusher: Mutex::new(thread) }))
    }

    /// The groups that have applied something here.
    pub(crate) fn groups(&self) -> Vec<GroupId> {
        let control = self.shared.control.inner.lock().applied.map(|_| GroupId::CONTROL);
        let shards = self.shared.shards.read();
        let applied = shards.values().filter(|cell| cell.state.read().applied.is_some());
        control.into_iter().chain(applied.map(|cell| GroupId::of(cell.shard))).collect()
    }

    /// The state machine of a shard, empty when the node does not have it yet. One Raft group at a time may use it.
    pub(crate) fn shard(&self, shard: ShardId) -> ShardMachine {
        ShardMachine { shared: Arc::clone(&self.shared), cell: self.shared.cell_or_new(shard) }
    }

    /// The state machine of the control group. One Raft group at a time may use it.
    pub(crate) fn control(&self) -> ControlStateMachine {
        ControlStateMachine { shared: Arc::clone(&self.shared) }
    }

    /// The control group's state as it changes.
    pub(crate) fn watch_control(&self) -> watch::Receiver<Arc<ControlState>> {
        self.shared.control.published.subscribe()
    }

    /// How many shards the cluster has; none before it is known here.
    #[cfg(test)]
    pub(super) fn shards(&self) -> Option<ShardCount> {
        self.shared.count()
    }

    /// Brings everything applied so far into the store, durably. Waits while the store fails.
    pub(crate) async fn flush(&self) -> Result<(), Closed> {
        self.shared.signal.flush().await
    }

    /// How far the stored state of a group goes: its log is needed beyond this only.
    pub(crate) fn durable(&self, group: GroupId) -> Option<LogId> {
        self.shared.durable(group).last_log_id
    }

    /// How far a group's state has come, and the membership that it knows.
    pub(crate) fn position(&self, group: GroupId) -> (Option<LogId>, Membership) {
        match group.shard() {
            None => {
                let inner = self.shared.control.inner.lock();
                (inner.applied, inner.membership.clone())
            }
            Some(shard) => self.shared.cell(shard).map_or_else(Default::default, |cell| {
                let state = cell.state.read();
                (state.applied, state.membership.clone())
            }),
        }
    }

    /// Empties the control group's state for its Raft, durably; the group has been stopped. Readers keep what they have until the
    /// group has as much again: the rest of the node goes by it.
    ///
    /// # Errors
    /// [`Closed`] when the host closes first.
    pub(crate) async fn reset_control(&self) -> Result<(), Closed> {
        self.shared.control.reset();
        self.shared.signal.touched();
        self.shared.signal.flush().await
    }

    /// The control group has applied all that its leader has committed: what its readers have of an earlier replica is replaced.
    pub(crate) fn trust_control(&self) {
        if self.shared.control.trust() {
            self.shared.signal.touched();
        }
    }

    /// Deletes a shard's state, once its group has been stopped for good. Waits while the store fails; if the node stops
    /// first, the state may be there again at the next start.
    pub(crate) async fn forget(&self, shard: ShardId) -> Result<(), Closed> {
        let Some(cell) = self.shared.cell(shard) else { return Ok(()) };
        cell.leading.lose(&self.shared.observers);
        cell.gone.store(true, Ordering::Release);
        let slot = cell.state.read().slot;
        self.shared.garbage.lock().push(Garbage { slot, whole: true });
        self.shared.shards.write().remove(&shard);
        self.shared.signal.flush().await
    }

    /// Whether the store works; otherwise why not.
    pub(crate) fn health(&self) -> Result<(), ProposeError> {
        self.shared.failures.check()?;
        if self.shared.signal.is_closing() {
            return Err(ProposeError::Stopping);
        }
        self.shared.store.guard().as_ref().map_or(Ok(()), |store| store.health()).map_err(|error| propose_error(&error))
    }

    /// How many entries of all groups were applied since the start.
    pub(crate) fn applied_entries(&self) -> u64 {
        self.shared.applied.load(Ordering::Relaxed)
    }

    /// The bytes that the state takes on the disk.
    pub(crate) fn size_on_disk(&self) -> u64 {
        self.shared.store.guard().as_ref().and_then(|store| store.size().ok()).unwrap_or(0)
    }

    /// Stores everything and lets go of the files; the groups have been stopped. Answers whether that was done within
    /// `limit`; otherwise it goes on behind, and what is not stored is in the log.
    pub(crate) async fn close(&self, limit: Duration) -> bool {
        self.shared.signal.close();
        let done = tokio::time::timeout(limit, self.shared.signal.closed()).await.is_ok();
        // They may hold what holds this.
        self.shared.observers.clear();
        done
    }

    /// Says that this node's Raft group leads the shard in `term`, before its `Activate` is proposed, or that it does not any
    /// longer ([`Self::lose`]). The leadership counts from the moment an `Activate` of this node in this term is applied.
    pub(crate) fn set_leading(&self, shard: ShardId, term: Option<u64>) {
        let Some(cell) = self.shared.cell(shard) else { return };
        match term {
            Some(term) => cell.leading.lead(term, &self.shared.observers),
            None => cell.leading.lose(&self.shared.observers),
        }
    }

    /// The leadership is gone, or not certain any longer (its lease has run out): observers are told at once, those who wait
    /// for tasks of the shard are refused. After it the leadership must be announced and activated anew.
    pub(crate) fn lose(&self, shard: ShardId) {
        self.set_leading(shard, None);
    }

    /// Says that this node is about to give the shard away, or that it is not any longer.
    pub(crate) fn tell_yielding(&self, shard: ShardId, yields: bool) {
        self.shared.observers.tell_yielding(shard, yields);
    }

    /// The epoch under which this node leads the shard, once it is activated.
    pub(crate) fn epoch(&self, shard: ShardId) -> Option<Epoch> {
        self.shared.cell(shard)?.leading.epoch()
    }

    /// Tells `observer` of what is led already, and of everything that is applied to shards led here from now on.
    pub(crate) fn observe(&self, observer: Arc<dyn LedgerObserver>) {
        self.shared.observers.add(observer, || {
            let shards = self.shared.shards.read();
            shards.values().filter_map(|cell| Some((cell.shard, cell.leading.epoch()?))).collect()
        });
    }

    /// A file for a snapshot that another node sends.
    pub(crate) async fn receive_snapshot(&self, group: GroupId) -> Result<SnapshotWriter, SnapshotError> {
        let number = self.shared.snapshots.fetch_add(1, Ordering::Relaxed);
        SnapshotWriter::create(&self.shared.config.dir, group, number).await
    }
}

impl Drop for StateHost {
    fn drop(&mut self) {
        self.shared.signal.close();
        let Some(thread) = self.flusher.lock().take() else { return };
        let _ = thread.join();
    }
}
