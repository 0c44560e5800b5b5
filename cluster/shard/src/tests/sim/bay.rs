//! Where the writers of a simulated node's disks work: as tasks of its runtime, each write taking a while.

use super::rng::Rng;
use crate::work::Worker;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The longest a write takes on a disk that is well, in milliseconds.
const WELL: u64 = 4;

type Slot = Arc<Mutex<Option<Box<dyn Worker>>>>;

thread_local! {
    /// The bay of the node that is running on this thread.
    static BAY: RefCell<Option<Arc<Bay>>> = const { RefCell::new(None) };
}

/// The workers of one life of a node.
pub(super) struct Bay {
    workers: Mutex<Vec<Slot>>,
    rng: Mutex<Rng>,
    /// By how much longer a write takes on a disk that is not well, in milliseconds.
    pub(super) slowness: AtomicU64,
    /// For how long the node's machine was suspended, as it can tell, in milliseconds.
    pub(super) slept: AtomicU64,
    /// Whether the node believes its own clock, whatever the others' show.
    pub(super) credulous: AtomicBool,
}

impl Bay {
    pub(super) fn new(rng: Rng) -> Arc<Self> {
        Arc::new(Self {
            workers: Mutex::default(),
            rng: Mutex::new(rng),
            slowness: AtomicU64::new(0),
            slept: AtomicU64::new(0),
            credulous: AtomicBool::new(false),
        })
    }

    /// Runs the node.
    pub(super) fn within<T>(self: &Arc<Self>, act: impl FnOnce() -> T) -> T {
        let before = BAY.replace(Some(Arc::clone(self)));
        let done = act();
        BAY.replace(before);
        done
    }

    /// What is in line reaches the disks, and nobody is told of it.
    pub(super) fn write_unheard(&self) {
        for worker in self.workers.lock().iter() {
            if let Some(worker) = worker.lock().as_mut() {
                worker.turn();
            }
        }
    }

    /// The workers are gone in the middle of what they did.
    pub(super) fn clear(&self) {
        for worker in self.workers.lock().drain(..) {
            *worker.lock() = None;
        }
    }

    fn latency(&self) -> Duration {
        let mut rng = self.rng.lock();
        let slowness = self.slowness.load(Ordering::Relaxed);
        Duration::from_millis(rng.between(1, WELL) + rng.below(slowness + 1))
    }
}

/// Takes a worker over when a simulated node is running on this thread; otherwise gives it back.
pub(crate) fn adopt<W: Worker>(worker: W) -> Option<W> {
    let Some(bay) = BAY.with_borrow(Clone::clone) else { return Some(worker) };
    let slot: Slot = Arc::new(Mutex::new(Some(Box::new(worker))));
    bay.workers.lock().push(Arc::clone(&slot));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(bay.latency()).await;
            let mut worker = slot.lock();
            if !worker.as_mut().is_some_and(|worker| worker.turn()) {
                *worker = None;
                return;
            }
        }
    });
    None
}

/// For how long the machine of the node that is running on this thread was suspended.
pub(crate) fn slept() -> Option<Duration> {
    BAY.with_borrow(|bay| bay.as_ref().map(|bay| Duration::from_millis(bay.slept.load(Ordering::Relaxed))))
}

/// Whether the node that is running on this thread believes its own clock, whatever the others' show.
pub(crate) fn is_credulous() -> bool {
    BAY.with_borrow(|bay| bay.as_ref().is_some_and(|bay| bay.credulous.load(Ordering::Relaxed)))
}

/// Whether a simulated node is running on this thread.
pub(crate) fn is_running() -> bool {
    BAY.with_borrow(Option::is_some)
}
