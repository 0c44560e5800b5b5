//! The control group's state in memory.

use super::group_record::{GroupRecord, LogId, Membership, SnapshotMeta};
use octopussy_control::ControlState;
use octopussy_ledger::ShardRecord;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;

/// What the control group has applied. It is small, and kept whole.
pub(super) struct ControlInner {
    pub(super) state: Arc<ControlState>,
    pub(super) applied: Option<LogId>,
    pub(super) membership: Membership,
    /// What the stored state says of itself.
    pub(super) durable: SnapshotMeta,
    /// Whether something was applied that is neither stored nor being stored.
    pub(super) touched: bool,
    /// What an earlier replica had, which readers go by until this one has as much.
    pub(super) known: Option<Arc<ControlState>>,
}

/// The control group.
pub(super) struct ControlCell {
    pub(super) inner: Mutex<ControlInner>,
    pub(super) published: watch::Sender<Arc<ControlState>>,
}

/// The control group's state on its way into the store.
pub(super) struct ControlChanges {
    pub(super) record: GroupRecord,
    pub(super) state: Arc<ControlState>,
    pub(super) known: Option<Arc<ControlState>>,
}

impl ControlCell {
    pub(super) fn new(state: ControlState, record: &GroupRecord, known: Option<ControlState>) -> Self {
        let (state, known) = (Arc::new(state), known.map(Arc::new));
        let published = watch::Sender::new(Arc::clone(known.as_ref().unwrap_or(&state)));
        let inner = ControlInner {
            state,
            applied: record.applied,
            membership: record.membership.clone(),
            durable: record.meta(),
            touched: false,
            known,
        };
        Self { inner: Mutex::new(inner), published }
    }

    /// Makes what was applied known, unless readers still have more of an earlier replica.
    pub(super) fn publish(&self) {
        // Under the lock, so that an older state never follows a newer one.
        let mut inner = self.inner.lock();
        if inner.known.as_ref().is_some_and(|known| known.version > inner.state.version) {
            return;
        }
        inner.known = None;
        self.published.send_replace(Arc::clone(&inner.state));
    }

    /// Makes what was applied known in the place of whatever an earlier replica had; says whether it had anything.
    pub(super) fn trust(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.known.take().is_none() {
            return false;
        }
        inner.touched = true;
        self.published.send_replace(Arc::clone(&inner.state));
        true
    }

    /// Begins anew with nothing. Readers keep what they have.
    pub(super) fn reset(&self) {
        let mut inner = self.inner.lock();
        let known = Arc::clone(&self.published.borrow());
        *inner = ControlInner {
            state: Arc::default(),
            applied: None,
            membership: Membership::default(),
            durable: SnapshotMeta::default(),
            touched: true,
            known: known.cluster.is_some().then_some(known),
        };
    }

    pub(super) fn take_changes(&self) -> Option<ControlChanges> {
        let mut inner = self.inner.lock();
        if !std::mem::replace(&mut inner.touched, false) {
            return None;
        }
        let record = GroupRecord {
            generation: 0,
            applied: inner.applied,
            membership: inner.membership.clone(),
            shard: ShardRecord::default(),
        };
        Some(ControlChanges { record, state: Arc::clone(&inner.state), known: inner.known.clone() })
    }

    /// Notes that what [`Self::take_changes`] answered with is stored.
    pub(super) fn stored(&self, changes: &ControlChanges) {
        self.inner.lock().durable = changes.record.meta();
    }
}
