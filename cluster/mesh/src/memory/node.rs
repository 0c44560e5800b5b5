//! One node of an in-memory network.

use super::calls::{Calls, Slot};
use super::network::Network;
use super::schedule::Action;
use super::shared::Shared;
use super::stream;
use super::time::Time;
use crate::handlers::Handlers;
use crate::limits::TOO_LONG;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{
    FrameHandler, Incarnation, Lane, LaneHandler, MAX_ANSWER_BYTES, MAX_DATAGRAM_BYTES, MAX_FRAME_BYTES, MeshError,
    MeshGuard, MeshPort, MeshStream, PeerObserver, PeerView, StreamHandler, StreamKind,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::{EnterGuard, Handle};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A [`MeshPort`] in memory, for tests and simulations. See [`Network`].
pub struct MemoryMesh {
    life: Incarnation,
    network: Weak<Shared>,
    /// On a driven network, what the node runs on.
    runtime: Option<Handle>,
    handlers: Handlers,
    ended: AtomicBool,
    calls: Calls,
}

impl std::fmt::Debug for MemoryMesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryMesh").field("life", &self.life).finish_non_exhaustive()
    }
}

impl MemoryMesh {
    pub(super) fn new(life: Incarnation, network: &Arc<Shared>) -> Arc<Self> {
        let runtime = match network.time {
            Time::Runtime => None,
            Time::Driven(_) => Handle::try_current().ok(),
        };
        Arc::new(Self {
            life,
            network: Arc::downgrade(network),
            runtime,
            handlers: Handlers::default(),
            ended: AtomicBool::new(false),
            calls: Calls::default(),
        })
    }

    /// Leaves the network with a goodbye: peers see the connection closed at once.
    pub fn close(&self) {
        if let Some(shared) = self.network.upgrade()
            && !self.is_ended()
        {
            self.end();
            Network { shared }.close_all(self.life.node);
        }
    }

    pub(super) fn life(&self) -> Incarnation {
        self.life
    }

    pub(super) fn boot(&self) -> u64 {
        self.life.boot
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// What follows happens within the node's own runtime, if it has one of its own.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.runtime.as_ref().map(Handle::enter)
    }

    pub(super) fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    /// Ends this life: nothing is sent or heard from now on, and the handlers are dropped.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.calls.end(None, &MeshError::Stopping);
        self.handlers.clear();
    }

    /// Ends all calls to `peer`: the connection is lost.
    pub(super) fn lose(&self, peer: NodeId) {
        self.calls.end(Some(peer), &MeshError::Lost(peer));
    }

    /// The network and the number of the connection to `to`.
    fn way(&self, to: NodeId) -> Result<(Arc<Shared>, u64), MeshError> {
        let shared = self.network.upgrade().filter(|_| !self.is_ended()).ok_or(MeshError::Stopping)?;
        let number = shared.connection(self.life.node, to).ok_or(MeshError::NotConnected(to))?;
        Ok((shared, number))
    }

    fn begin(
        &self,
        to: NodeId,
        lane: Lane,
        request: Bytes,
        within: Duration,
    ) -> Result<(Slot, oneshot::Receiver<Result<Bytes, MeshError>>), MeshError> {
        check_size(request.len(), MAX_FRAME_BYTES)?;
        let (shared, number) = self.way(to)?;
        let from = self.life;
        let (slot, receiver) = self.calls.begin(to, lane)?;
        let id = slot.id();
        let network = self.network.clone();
        let sent = shared.time.now();
        let action: Action = Box::new(move || {
            let Some(shared) = network.upgrade() else { return };
            let Some(peer) = shared.running(to) else { return };
            let _entered = peer.enter();
            let within = within.saturating_sub(shared.time.now().saturating_duration_since(sent));
            let handler = peer.handlers.lane(lane, from.node, &request);
            let reply = handler.map(|handler| handler.handle(from.node, request, within));
            tokio::spawn(respond(network, from, to, lane, number, id, reply));
        });
        if shared.state.lock().silenced != Some(lane) {
            shared.carry(from.node, to, lane.tag(), number, action);
        }
        Ok((slot, receiver))
    }
}

/// Waits for a handler's answer and carries it back.
async fn respond(
    network: Weak<Shared>,
    caller: Incarnation,
    node: NodeId,
    lane: Lane,
    number: u64,
    id: u64,
    reply: Result<BoxFuture<'static, Result<Bytes, Arc<str>>>, &'static str>,
) {
    let answer = match reply {
        Ok(reply) => reply.await,
        Err(reason) => Err(Arc::from(reason)),
    };
    let answer = match answer {
        Ok(answer) if answer.len() > MAX_ANSWER_BYTES => {
            Err(MeshError::Unanswered { node, reason: Arc::from(TOO_LONG) })
        }
        Ok(answer) => Ok(answer),
        Err(reason) => Err(MeshError::Refused { node, reason }),
    };
    // A node that was killed says nothing more, though what it had in hand goes on here.
    let Some(shared) = network.upgrade().filter(|shared| shared.running(node).is_some()) else { return };
    let action: Action = Box::new(move || {
        if let Some(mesh) = network.upgrade().and_then(|shared| shared.running(caller.node))
            && mesh.life == caller
        {
            mesh.calls.answer(id, answer);
        }
    });
    shared.carry(node, caller.node, lane.tag() | 0x80, number, action);
}

pub(super) fn check_size(actual: usize, limit: usize) -> Result<(), MeshError> {
    if actual > limit { Err(MeshError::TooLarge { actual, limit }) } else { Ok(()) }
}

#[async_trait]
impl MeshPort for MemoryMesh {
    fn incarnation(&self) -> Incarnation {
        self.life
    }

    fn call(
        &self,
        to: NodeId,
        lane: Lane,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, MeshError>> {
        let deadline = Instant::now() + within;
        match self.begin(to, lane, request, within) {
            Err(error) => Box::pin(std::future::ready(Err(error))),
            Ok((slot, receiver)) => Box::pin(async move {
                let _slot = slot;
                match tokio::time::timeout_at(deadline, receiver).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(_)) => Err(MeshError::Stopping),
                    Err(_) => Err(MeshError::Timeout(to)),
                }
            }),
        }
    }

    fn datagram(&self, to: NodeId, frame: Bytes) -> Result<(), MeshError> {
        check_size(frame.len(), MAX_DATAGRAM_BYTES)?;
        let (shared, _) = self.way(to)?;
        if shared.loses_datagram() {
            return Ok(());
        }
        let (from, network) = (self.life.node, self.network.clone());
        let action: Action = Box::new(move || {
            let Some(shared) = network.upgrade().filter(|shared| shared.is_way_open(from, to)) else { return };
            let Some(peer) = shared.running(to) else { return };
            let _entered = peer.enter();
            if let Some(handler) = peer.handlers.datagram(from) {
                handler.handle(from, frame);
            }
        });
        shared.schedule(shared.arrival(), None, action);
        Ok(())
    }

    fn gossip(&self, to: NodeId, frame: Bytes) -> Result<(), MeshError> {
        check_size(frame.len(), MAX_FRAME_BYTES)?;
        let (shared, number) = self.way(to)?;
        if shared.loses_gossip() {
            return Ok(());
        }
        let (from, network) = (self.life.node, self.network.clone());
        let action: Action = Box::new(move || {
            let Some(peer) = network.upgrade().and_then(|shared| shared.running(to)) else { return };
            let _entered = peer.enter();
            if let Some(handler) = peer.handlers.gossip(from) {
                handler.handle(from, frame);
            }
        });
        shared.carry(from, to, 0, number, action);
        Ok(())
    }

    async fn open(&self, to: NodeId, kind: StreamKind) -> Result<MeshStream, MeshError> {
        let (shared, number) = self.way(to)?;
        let from = self.life.node;
        let (ours, theirs, refused) = stream::pair(&self.network, from, to, number);
        let network = self.network.clone();
        let action: Action = Box::new(move || {
            let peer = network.upgrade().and_then(|shared| shared.running(to));
            let _entered = peer.as_ref().and_then(|peer| peer.enter());
            if let Some(handler) = peer.as_ref().and_then(|peer| peer.handlers.stream(kind, from).ok()) {
                tokio::spawn(handler.handle(from, theirs));
            } else {
                refused.store(true, Ordering::Release);
            }
        });
        shared.carry(from, to, kind.tag(), number, action);
        Ok(ours)
    }

    fn serve(&self, lane: Lane, handler: Arc<dyn LaneHandler>) {
        self.handlers.serve(lane, handler);
    }

    fn serve_streams(&self, kind: StreamKind, handler: Arc<dyn StreamHandler>) {
        self.handlers.serve_streams(kind, handler);
    }

    fn on_datagram(&self, handler: Arc<dyn FrameHandler>) {
        self.handlers.on_datagram(handler);
    }

    fn on_gossip(&self, handler: Arc<dyn FrameHandler>) {
        self.handlers.on_gossip(handler);
    }

    fn guard(&self, guard: Arc<dyn MeshGuard>) {
        self.handlers.guard(guard);
    }

    /// Does nothing: all nodes of a network know each other.
    fn learn(&self, _node: NodeId, _addresses: &[SocketAddr]) {}

    /// Does nothing: partition or stop the node instead.
    fn forget(&self, _node: NodeId) {}

    fn peers(&self) -> Vec<PeerView> {
        let Ok(shared) = self.network.upgrade().filter(|_| !self.is_ended()).ok_or(()) else { return Vec::new() };
        let rtt = shared.round_trip();
        let view = |peer: Arc<Self>| PeerView {
            incarnation: peer.life,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            rtt,
        };
        shared.peers(self.life.node).into_iter().map(view).collect()
    }

    fn is_connected(&self, node: NodeId) -> bool {
        self.way(node).is_ok()
    }

    fn observe(&self, observer: Arc<dyn PeerObserver>) {
        self.handlers.observe(observer);
    }
}
