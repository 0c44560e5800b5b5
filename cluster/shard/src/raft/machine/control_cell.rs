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
}

impl ControlCell {
    pub(super) fn new(state: ControlState, record: &GroupRecord) -> Self {
        let state = Arc::new(state);
        let published = watch::Sender::new(Arc::clone(&state));
        let inner = ControlInner {
            state,
            applied: record.applied,
            membership: record.membership.clone(),
            durable: record.meta(),
            touched: false,
        };
        Self { inner: Mutex::new(inner), published }
    }

    /// Makes what was applied known.
    pub(super) fn publish(&self) {
        // Under the lock, so that an older state never follows a newer one.
        let inner = self.inner.lock();
        self.published.send_replace(Arc::clone(&inner.state));
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
        Some(ControlChanges { record, state: Arc::clone(&inner.state) })
    }

    /// Notes that what [`Self::take_changes`] answered with is stored.
    pub(super) fn stored(&self, changes: &ControlChanges) {
        self.inner.lock().durable = changes.record.meta();
    }
}
