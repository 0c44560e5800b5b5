//! Snapshots that have been received whole and are being verified and installed. That goes on whoever waits for it: a sender whose
//! connection broke, or that has given up, joins it again instead of sending everything anew.

use super::wire::{Address, SnapshotAnswer};
use crate::raft::TypeConfig;
use openraft::alias::SnapshotMetaOf;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Which snapshot, and for which replica: there is one state of a group at each place of its log, which has a term and an index.
pub(super) type SnapshotId = (Address, Option<(u64, u64)>);

/// The snapshot that says this of itself.
pub(super) fn snapshot_id(address: Address, meta: &SnapshotMetaOf<TypeConfig>) -> SnapshotId {
    (address, meta.last_log_id.map(|id| (id.committed_leader_id().term, id.index)))
}

/// A snapshot that is being installed.
pub(super) struct Install {
    /// How many bytes have been verified and written. Grows as long as there is any progress.
    progress: Arc<AtomicU64>,
    answer: watch::Sender<Option<SnapshotAnswer>>,
}

impl Install {
    pub(super) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// The answer, once there is one.
    pub(super) async fn answer(&self) -> Option<SnapshotAnswer> {
        let mut answer = self.answer.subscribe();
        let answered = answer.wait_for(Option::is_some).await.ok()?;
        answered.clone()
    }
}

/// The snapshots that are being installed; at most as many as are received at once.
#[derive(Default)]
pub(super) struct Installs(Mutex<HashMap<SnapshotId, Arc<Install>>>);

impl Installs {
    pub(super) fn get(&self, id: &SnapshotId) -> Option<Arc<Install>> {
        self.0.lock().get(id).map(Arc::clone)
    }

    /// Begins with one, beside the caller, unless that is under way already.
    pub(super) fn begin(
        self: &Arc<Self>,
        id: SnapshotId,
        progress: Arc<AtomicU64>,
        install: impl Future<Output = SnapshotAnswer> + Send + 'static,
    ) -> Arc<Install> {
        let mut all = self.0.lock();
        if let Some(running) = all.get(&id) {
            return Arc::clone(running);
        }
        let begun = Arc::new(Install { progress, answer: watch::Sender::new(None) });
        all.insert(id, Arc::clone(&begun));
        drop(all);
        let (this, running) = (Arc::clone(self), Arc::clone(&begun));
        tokio::spawn(async move {
            let answer = install.await;
            // In this order: whoever does not find it any more finds what it has installed.
            running.answer.send_replace(Some(answer));
            this.0.lock().remove(&id);
        });
        begun
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::GroupFault;
    use super::*;
    use crate::raft::{GroupId, ReplicaIncarnation};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn whoever_comes_while_a_snapshot_is_installed_hears_of_the_same() {
        let address = Address { group: GroupId(3), replica: ReplicaIncarnation(1) };
        let (installs, id) = (Arc::new(Installs::default()), (address, None));
        let (go_on, waiting) = oneshot::channel::<()>();
        let late = || SnapshotAnswer::Err(GroupFault::Late(GroupId(3)));
        let first = installs.begin(id, Arc::default(), async move {
            drop(waiting.await);
            SnapshotAnswer::Err(GroupFault::Late(GroupId(3)))
        });
        let second = installs.begin(id, Arc::default(), async { SnapshotAnswer::Err(GroupFault::Absent(GroupId(3))) });
        assert!(Arc::ptr_eq(&first, &second) && installs.get(&id).is_some());
        drop(first);
        go_on.send(()).unwrap();
        assert!(second.answer().await == Some(late()), "what was begun goes on without those who have gone");
        while installs.get(&id).is_some() {
            tokio::task::yield_now().await;
        }
    }
}
