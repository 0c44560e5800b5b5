//! Who serves what: the handlers of one mesh, which may be replaced at any time.

use octopussy_core::ports::{FrameHandler, Lane, LaneHandler, PeerEvent, PeerObserver, StreamHandler, StreamKind};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Runs what a handler does; a panic of it ends there, and not the task that serves the connection.
pub(crate) fn guarded(what: &'static str, act: impl FnOnce()) {
    if std::panic::catch_unwind(AssertUnwindSafe(act)).is_err() {
        tracing::error!(what, "a handler of the mesh panicked");
    }
}

/// The handlers. Looking one up is cheap and never held across a call.
#[derive(Default)]
pub(crate) struct Handlers {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    lanes: HashMap<u8, Arc<dyn LaneHandler>>,
    streams: HashMap<u8, Arc<dyn StreamHandler>>,
    datagram: Option<Arc<dyn FrameHandler>>,
    gossip: Option<Arc<dyn FrameHandler>>,
    observers: Vec<Arc<dyn PeerObserver>>,
}

impl Handlers {
    pub(crate) fn serve(&self, lane: Lane, handler: Arc<dyn LaneHandler>) {
        self.table.write().lanes.insert(lane.tag(), handler);
    }

    pub(crate) fn serve_streams(&self, kind: StreamKind, handler: Arc<dyn StreamHandler>) {
        self.table.write().streams.insert(kind.tag(), handler);
    }

    pub(crate) fn on_datagram(&self, handler: Arc<dyn FrameHandler>) {
        self.table.write().datagram = Some(handler);
    }

    pub(crate) fn on_gossip(&self, handler: Arc<dyn FrameHandler>) {
        self.table.write().gossip = Some(handler);
    }

    pub(crate) fn observe(&self, observer: Arc<dyn PeerObserver>) {
        self.table.write().observers.push(observer);
    }

    pub(crate) fn lane(&self, lane: Lane) -> Option<Arc<dyn LaneHandler>> {
        self.table.read().lanes.get(&lane.tag()).cloned()
    }

    pub(crate) fn stream(&self, kind: StreamKind) -> Option<Arc<dyn StreamHandler>> {
        self.table.read().streams.get(&kind.tag()).cloned()
    }

    pub(crate) fn datagram(&self) -> Option<Arc<dyn FrameHandler>> {
        self.table.read().datagram.clone()
    }

    pub(crate) fn gossip(&self) -> Option<Arc<dyn FrameHandler>> {
        self.table.read().gossip.clone()
    }

    /// Tells every observer.
    pub(crate) fn notify(&self, event: PeerEvent) {
        let observers = self.table.read().observers.clone();
        for observer in observers {
            guarded("peer observer", || observer.on_peer(event));
        }
    }

    /// Lets go of all handlers, so that what they hold is dropped with the mesh's end.
    pub(crate) fn clear(&self) {
        *self.table.write() = Table::default();
    }
}
