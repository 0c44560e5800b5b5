//! Whether this node leads a shard, and whom it tells of what happens there.

use super::waiters::Waiters;
use octopussy_core::ids::{Epoch, ShardId};
use octopussy_core::ports::LedgerObserver;
use octopussy_core::task::LedgerEvent;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Everybody who is told of what is applied to shards led here.
#[derive(Default)]
pub(super) struct Observers {
    observers: RwLock<Vec<Arc<dyn LedgerObserver>>>,
}

impl Observers {
    /// Tells `observer` of what `led` names, and from now on of everything.
    pub(super) fn add(&self, observer: Arc<dyn LedgerObserver>, led: impl FnOnce() -> Vec<(ShardId, Epoch)>) {
        // Under the lock that telling takes, so that what is led already is told before anything newer.
        let mut observers = self.observers.write();
        for (shard, epoch) in led() {
            observer.on_event(&LedgerEvent::LeaderGained { shard, epoch });
        }
        observers.push(observer);
    }

    /// Tells whether the shard is about to be given away.
    pub(super) fn tell_yielding(&self, shard: ShardId, yields: bool) {
        for observer in self.observers.read().iter() {
            observer.on_yielding(shard, yields);
        }
    }

    /// Lets go of all of them.
    pub(super) fn clear(&self) {
        self.observers.write().clear();
    }
}

/// Whether this node leads a shard. A leadership counts once its `Activate` is applied, and never again after it was lost.
pub(super) struct Leading {
    shard: ShardId,
    /// The term that this node leads; held while observers are told, so that nothing is told after the loss.
    term: Mutex<Option<u64>>,
    /// 0 while it does not count.
    epoch: AtomicU64,
    pub(super) waiters: Waiters,
}

impl Leading {
    pub(super) fn new(shard: ShardId) -> Self {
        Self { shard, term: Mutex::new(None), epoch: AtomicU64::new(0), waiters: Waiters::default() }
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        let epoch = self.epoch.load(Ordering::Acquire);
        (epoch > 0).then_some(Epoch(epoch))
    }

    /// This node leads in `term` from now on; what it led before in another is lost.
    pub(super) fn lead(&self, term: u64, observers: &Observers) {
        let mut leading = self.term.lock();
        if *leading != Some(term) {
            self.end(observers);
            *leading = Some(term);
        }
    }

    /// Nothing is led any longer.
    pub(super) fn lose(&self, observers: &Observers) {
        let mut leading = self.term.lock();
        *leading = None;
        self.end(observers);
    }

    fn end(&self, observers: &Observers) {
        let observers = observers.observers.read();
        if self.epoch.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        for observer in observers.iter() {
            observer.on_event(&LedgerEvent::LeaderLost { shard: self.shard });
        }
        self.waiters.clear();
    }

    /// Tells of what an entry of `term` brought. `LeaderGained` among it must be of this node's own activations.
    pub(super) fn tell(&self, term: u64, events: &[LedgerEvent], observers: &Observers) {
        if events.is_empty() {
            return;
        }
        let leading = self.term.lock();
        if *leading != Some(term) {
            return;
        }
        let observers = observers.observers.read();
        for event in events {
            if let LedgerEvent::LeaderGained { epoch, .. } = event {
                // Two activations of one term follow each other when a lease had run out in between and the first was
                // still under way: whoever works under the first must hear that it is over.
                if self.epoch.swap(0, Ordering::AcqRel) > 0 {
                    for observer in observers.iter() {
                        observer.on_event(&LedgerEvent::LeaderLost { shard: self.shard });
                    }
                }
                self.epoch.store(epoch.0, Ordering::Release);
            }
            if self.epoch.load(Ordering::Acquire) == 0 {
                continue;
            }
            if let LedgerEvent::TaskEnded { task } = event {
                self.waiters.ended(task);
            }
            for observer in observers.iter() {
                observer.on_event(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl LedgerObserver for Heard {
        fn on_event(&self, event: &LedgerEvent) {
            self.0.lock().push(match event {
                LedgerEvent::LeaderGained { epoch, .. } => format!("gained {epoch}"),
                LedgerEvent::LeaderLost { .. } => "lost".to_owned(),
                LedgerEvent::TaskReady { .. }
                | LedgerEvent::TaskBegun { .. }
                | LedgerEvent::StepDone { .. }
                | LedgerEvent::CancelRequested { .. }
                | LedgerEvent::TaskEnded { .. }
                | LedgerEvent::AgentChanged { .. } => "other".to_owned(),
            });
        }
    }

    #[test]
    fn a_second_activation_of_a_term_ends_the_first() {
        let (observers, heard) = (Observers::default(), Arc::new(Heard::default()));
        observers.add(Arc::clone(&heard) as _, Vec::new);
        let leading = Leading::new(ShardId(3));
        let gained = |epoch| [LedgerEvent::LeaderGained { shard: ShardId(3), epoch: Epoch(epoch) }];
        // Led, lost and led again in the same term, before either activation is applied.
        leading.lead(7, &observers);
        leading.lose(&observers);
        leading.lead(7, &observers);
        leading.tell(7, &gained(11), &observers);
        leading.tell(7, &gained(12), &observers);
        assert_eq!(*heard.0.lock(), ["gained 11", "lost", "gained 12"]);
        assert_eq!(leading.epoch(), Some(Epoch(12)));
    }
}
