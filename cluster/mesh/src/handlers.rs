//! Who serves what: the handlers of one mesh, which may be replaced at any time.

use crate::bucket::Throttle;
use crate::limits::{LANE_NOT_SERVED, LOG_EVERY, REQUEST_FORBIDDEN};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{
    FrameHandler, Lane, LaneHandler, MeshGuard, PeerEvent, PeerObserver, RequestKind, StreamHandler, StreamKind,
};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

/// Runs what a handler does; a panic of it ends there, and not the task that serves the connection.
pub(crate) fn guarded(what: &'static str, act: impl FnOnce()) {
    if std::panic::catch_unwind(AssertUnwindSafe(act)).is_err() {
        tracing::error!(what, "a handler of the mesh panicked");
    }
}

/// Who judges what peers may ask.
#[derive(Clone, Default)]
pub(crate) enum Guarding {
    /// Nobody: everything is let through.
    #[default]
    Open,
    /// Nobody yet: nothing is let through.
    Closed,
    /// A guard.
    By(Arc<dyn MeshGuard>),
}

/// The handlers. Looking one up is cheap and never held across a call.
#[derive(Default)]
pub(crate) struct Handlers {
    table: RwLock<Table>,
    guarding: RwLock<Guarding>,
    /// What is refused is logged now and then.
    forbidden: Throttle,
}

/// A stream is not served.
pub(crate) enum NoStream {
    /// Nobody serves its kind.
    Unserved,
    /// The peer may not open it.
    Forbidden,
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

    /// Lets nothing through until there is a guard.
    pub(crate) fn closed() -> Self {
        Self { guarding: RwLock::new(Guarding::Closed), ..Self::default() }
    }

    pub(crate) fn guard(&self, guard: Arc<dyn MeshGuard>) {
        *self.guarding.write() = Guarding::By(guard);
    }

    pub(crate) fn guarding(&self) -> Guarding {
        self.guarding.read().clone()
    }

    /// Whether a peer may ask this; `kind` is told only when somebody judges, and is none for what no request is.
    fn allows(&self, from: NodeId, kind: impl FnOnce() -> Option<RequestKind>) -> bool {
        let guard = match &*self.guarding.read() {
            Guarding::Open => return true,
            Guarding::Closed => return false,
            Guarding::By(guard) => Arc::clone(guard),
        };
        let kind = kind();
        let allowed = kind.is_some_and(|kind| guard.allows(from, kind));
        if !allowed && self.forbidden.allows(Instant::now(), LOG_EVERY) {
            let kind = kind.map_or("nothing known", RequestKind::name);
            tracing::warn!(%from, kind, "refused what the cluster does not let this node ask");
        }
        allowed
    }

    /// Who answers a request on a lane; otherwise why nobody does.
    pub(crate) fn lane(&self, lane: Lane, from: NodeId, request: &[u8]) -> Result<Arc<dyn LaneHandler>, &'static str> {
        if !self.allows(from, || RequestKind::on_lane(lane, request)) {
            return Err(REQUEST_FORBIDDEN);
        }
        self.table.read().lanes.get(&lane.tag()).cloned().ok_or(LANE_NOT_SERVED)
    }

    /// Who serves a stream of a peer; otherwise why nobody does.
    pub(crate) fn stream(&self, kind: StreamKind, from: NodeId) -> Result<Arc<dyn StreamHandler>, NoStream> {
        if !self.allows(from, || Some(RequestKind::of_stream(kind))) {
            return Err(NoStream::Forbidden);
        }
        self.table.read().streams.get(&kind.tag()).cloned().ok_or(NoStream::Unserved)
    }

    /// Who takes a peer's datagrams.
    pub(crate) fn datagram(&self, from: NodeId) -> Option<Arc<dyn FrameHandler>> {
        let allowed = self.allows(from, || Some(RequestKind::Swim));
        self.table.read().datagram.clone().filter(|_| allowed)
    }

    /// Who takes a peer's one-way messages.
    pub(crate) fn gossip(&self, from: NodeId) -> Option<Arc<dyn FrameHandler>> {
        let allowed = self.allows(from, || Some(RequestKind::Facts));
        self.table.read().gossip.clone().filter(|_| allowed)
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
        *self.guarding.write() = Guarding::Closed;
    }
}
