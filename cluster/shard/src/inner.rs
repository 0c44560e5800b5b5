//! What the threads and the handle share.

use crate::config::ShardConfig;
use crate::failure::Failures;
use crate::queue::Queue;
use crate::state::State;
use crate::stores::StoreCell;
use crate::view::AgentCache;
use crate::waiters::Waiters;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::LedgerObserver;
use octopussy_core::task::LedgerEvent;
use octopussy_core::time::Clock;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// What the threads and the handle share. Locks are taken in the order `state`, store, cache.
pub(crate) struct Inner {
    pub(crate) config: ShardConfig,
    pub(crate) node: NodeId,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: Queue,
    pub(crate) failures: Failures,
    pub(crate) state: RwLock<State>,
    pub(crate) log: StoreCell,
    pub(crate) store: StoreCell,
    pub(crate) agents: AgentCache,
    pub(crate) waiters: Waiters,
    pub(crate) observers: RwLock<Vec<Arc<dyn LedgerObserver>>>,
    /// Everything up to this index is applied and answered.
    pub(crate) applied: AtomicU64,
    /// Everything up to this index is in the state store, on the disk.
    pub(crate) durable: AtomicU64,
    /// The epochs of the shards, for readers that should not wait for the state.
    pub(crate) epochs: Vec<AtomicU64>,
    /// Set when the process should behave as if it had been killed; tests only need it.
    pub(crate) abandoned: AtomicBool,
}

impl Inner {
    /// Tells everybody of what was applied.
    pub(crate) fn tell(&self, events: &[LedgerEvent]) {
        if events.is_empty() {
            return;
        }
        let observers = self.observers.read();
        for event in events {
            if let LedgerEvent::TaskEnded { task } = event {
                self.waiters.ended(task);
            }
            for observer in observers.iter() {
                observer.on_event(event);
            }
        }
    }
}
