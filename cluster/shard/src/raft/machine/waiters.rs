//! Those who wait for the end of a task.

use octopussy_core::ids::TaskId;
use octopussy_core::task::TaskRecord;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Those who wait for the end of a task. Bounded by the callers: each waits within a request, with a deadline, and whoever does not
/// wait any longer is not kept.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: Mutex<HashMap<TaskId, Vec<oneshot::Sender<Arc<TaskRecord>>>>>,
}

/// Somebody who waits, until it is dropped.
pub(super) struct Waiting<'a> {
    waiters: &'a Waiters,
    id: TaskId,
    ended: oneshot::Receiver<Arc<TaskRecord>>,
}

/// How the waiting ended.
pub(super) enum Waited {
    /// With the task's end.
    Ended(Arc<TaskRecord>),
    /// The shard is not led here any longer.
    Lost,
    /// With the time there was.
    Late,
}

impl Waiting<'_> {
    /// Waits, at most for `limit`.
    pub(super) async fn ended(mut self, limit: Duration) -> Waited {
        match tokio::time::timeout(limit, &mut self.ended).await {
            Ok(Ok(task)) => Waited::Ended(task),
            Ok(Err(_)) => Waited::Lost,
            Err(_) => Waited::Late,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.ended.close();
        self.waiters.tidy(self.id);
    }
}

impl Waiters {
    /// Waits for the end of a task from now on.
    pub(super) fn register(&self, id: TaskId) -> Waiting<'_> {
        let (sender, ended) = oneshot::channel();
        self.waiting.lock().entry(id).or_default().push(sender);
        Waiting { waiters: self, id, ended }
    }

    /// Tells those who wait for this task.
    pub(super) fn ended(&self, task: &Arc<TaskRecord>) {
        let waiting = self.waiting.lock().remove(&task.id);
        for waiter in waiting.into_iter().flatten() {
            // One that has given up is no matter.
            let _ = waiter.send(Arc::clone(task));
        }
    }

    /// Forgets those who have given up waiting for `id`.
    fn tidy(&self, id: TaskId) {
        let mut waiting = self.waiting.lock();
        if let Some(waiters) = waiting.get_mut(&id) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                waiting.remove(&id);
            }
        }
    }

    /// For how many tasks somebody waits.
    #[cfg(test)]
    pub(super) fn tasks(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Lets go of everybody who waits.
    pub(super) fn clear(&self) {
        self.waiting.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::agent;
    use uuid::Uuid;

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_nothing_behind() {
        let waiters = Waiters::default();
        let id = TaskId::for_agent(agent("alice").id, Uuid::now_v7());
        let (first, second) = (waiters.register(id), waiters.register(id));
        drop(first);
        assert_eq!(waiters.waiting.lock()[&id].len(), 1, "the other still waits");
        // As when a client goes away in the middle of its request.
        assert!(tokio::time::timeout(Duration::from_millis(1), second.ended(Duration::MAX)).await.is_err());
        assert!(waiters.waiting.lock().is_empty());
        assert!(matches!(waiters.register(id).ended(Duration::ZERO).await, Waited::Late));
        assert!(waiters.waiting.lock().is_empty());
    }
}
