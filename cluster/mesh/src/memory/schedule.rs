//! What happens when, in one order for the whole network.

use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Something that happens at an instant.
pub(super) type Action = Box<dyn FnOnce() + Send>;

/// What keeps its order among itself: sender, receiver and the tag of the lane.
pub(super) type OrderKey = ([u8; 16], [u8; 16], u8);

/// A queue of actions by instant, worked off by one task; actions of the same instant run in the order they were added.
/// Unbounded: what adds to it is bounded by the windows of the lanes, and a simulation wants loss to be its own choice.
#[derive(Default)]
pub(super) struct Schedule {
    queue: Mutex<Queue>,
    changed: Notify,
    started: AtomicBool,
    closed: AtomicBool,
}

#[derive(Default)]
struct Queue {
    actions: BTreeMap<(Instant, u64), Action>,
    last: HashMap<OrderKey, Instant>,
    sequence: u64,
}

impl Schedule {
    /// A queue that no task works off: whoever drives the network takes what is due.
    pub(super) fn driven() -> Self {
        Self { started: AtomicBool::new(true), ..Self::default() }
    }

    /// Adds an action at `due`, or later when what was added before it under the same `order` is due later.
    pub(super) fn add(self: &Arc<Self>, due: Instant, order: Option<OrderKey>, action: Action) {
        {
            let mut queue = self.queue.lock();
            let mut due = due;
            if let Some(key) = order {
                let last = queue.last.entry(key).or_insert(due);
                due = due.max(*last);
                *last = due;
            }
            queue.sequence += 1;
            let sequence = queue.sequence;
            queue.actions.insert((due, sequence), action);
        }
        self.start();
        self.changed.notify_one();
    }

    /// Ends the task; what is still due never happens.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.queue.lock().actions.clear();
        self.changed.notify_one();
    }

    /// Starts the task with the first action that is added inside of a runtime.
    fn start(self: &Arc<Self>) {
        if self.started.load(Ordering::Acquire) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && !self.started.swap(true, Ordering::AcqRel)
        {
            runtime.spawn(run(self.clone()));
        }
    }

    /// The first action that is due by `now` and when it was; otherwise when the next will be.
    pub(super) fn take_due(&self, now: Instant) -> Result<(Instant, Action), Option<Instant>> {
        let mut queue = self.queue.lock();
        match queue.actions.first_entry() {
            None => Err(None),
            Some(entry) if entry.key().0 > now => Err(Some(entry.key().0)),
            Some(entry) => Ok((entry.key().0, entry.remove())),
        }
    }
}

async fn run(schedule: Arc<Schedule>) {
    while !schedule.closed.load(Ordering::Acquire) {
        match schedule.take_due(Instant::now()) {
            Ok((_, action)) => action(),
            Err(None) => schedule.changed.notified().await,
            Err(Some(due)) => {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(due) => {}
                    () = schedule.changed.notified() => {}
                }
            }
        }
    }
}
