//! Those who wait for the end of a task.

use octopussy_core::ids::TaskId;
use octopussy_core::task::TaskRecord;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Those who wait for the end of a task. Bounded by the callers: each waits within a request, with a deadline.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: Mutex<HashMap<TaskId, Vec<oneshot::Sender<Arc<TaskRecord>>>>>,
}

impl Waiters {
    /// Waits for the end of a task from now on.
    pub(super) fn register(&self, id: TaskId) -> oneshot::Receiver<Arc<TaskRecord>> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().entry(id).or_default().push(sender);
        receiver
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
    pub(super) fn tidy(&self, id: TaskId) {
        let mut waiting = self.waiting.lock();
        if let Some(waiters) = waiting.get_mut(&id) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                waiting.remove(&id);
            }
        }
    }

    /// Lets go of everybody who waits.
    pub(super) fn clear(&self) {
        self.waiting.lock().clear();
    }
}
