//! What the nodes of an in-memory network share: the ways between them and what is on its way.

use super::link::Links;
use super::node::MemoryMesh;
use super::schedule::{Action, OrderKey, Schedule};
use super::time::Time;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, Lane, PeerEvent};
use parking_lot::Mutex;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The tag that orders the events of one node among themselves.
const EVENTS: u8 = 0xff;

/// What all nodes of a network share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) time: Time,
    pub(super) schedule: Arc<Schedule>,
    /// Counts changes of the ways, for those who wait on one.
    pub(super) changes: watch::Sender<u64>,
}

/// What changes in a network.
pub(super) struct State {
    pub(super) rng: StdRng,
    pub(super) latency: RangeInclusive<Duration>,
    pub(super) datagram_loss: f64,
    pub(super) gossip_loss: f64,
    pub(super) resending: Resending,
    pub(super) detection: Duration,
    /// A lane on which no request arrives.
    pub(super) silenced: Option<Lane>,
    pub(super) links: Links,
    pub(super) nodes: BTreeMap<NodeId, Arc<MemoryMesh>>,
}

/// Which share of what travels on connections is sent twice, and how much later it then arrives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Resending {
    pub(super) share: f64,
    pub(super) after: Duration,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.schedule.close();
    }
}

impl Shared {
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The number of the connection, when there is one.
    pub(super) fn connection(&self, a: NodeId, b: NodeId) -> Option<u64> {
        self.state.lock().links.connection(a, b)
    }

    /// Whether something sent now would arrive.
    pub(super) fn is_way_open(&self, from: NodeId, to: NodeId) -> bool {
        let state = self.state.lock();
        !state.links.is_blocked(from, to) && state.nodes.get(&to).is_some_and(|mesh| !mesh.is_ended())
    }

    /// Whether both nodes run and hear each other.
    pub(super) fn is_open(&self, a: NodeId, b: NodeId) -> bool {
        self.is_way_open(a, b) && self.is_way_open(b, a)
    }

    /// The node when it runs.
    pub(super) fn running(&self, node: NodeId) -> Option<Arc<MemoryMesh>> {
        self.state.lock().nodes.get(&node).filter(|mesh| !mesh.is_ended()).cloned()
    }

    /// The connected peers of a node.
    pub(super) fn peers(&self, node: NodeId) -> Vec<Arc<MemoryMesh>> {
        let state = self.state.lock();
        let connected = state.nodes.iter().filter(|(other, _)| state.links.connection(node, **other).is_some());
        connected.map(|(_, mesh)| mesh.clone()).collect()
    }

    /// The longest round trip under the present latency.
    pub(super) fn round_trip(&self) -> Duration {
        *self.state.lock().latency.end() * 2
    }

    /// When something that is sent now arrives.
    pub(super) fn arrival(&self) -> Instant {
        let mut state = self.state.lock();
        let (low, high) = (*state.latency.start(), *state.latency.end());
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let latency =
            if high <= low { low } else { Duration::from_nanos(state.rng.random_range(nanos(low)..=nanos(high))) };
        self.time.now() + latency
    }

    /// How much later something that is sent now arrives because it is lost at first.
    fn delay(&self) -> Duration {
        let mut state = self.state.lock();
        let Resending { share, after } = state.resending;
        // Nothing is drawn where nothing is lost, so that a seed means the same with and without.
        if share > 0.0 && state.rng.random_bool(share) { after } else { Duration::ZERO }
    }

    /// Whether a datagram that is sent now is lost on its way.
    pub(super) fn loses_datagram(&self) -> bool {
        let mut state = self.state.lock();
        let loss = state.datagram_loss;
        state.rng.random_bool(loss)
    }

    /// Whether a one-way message that is sent now is lost on its way.
    pub(super) fn loses_gossip(&self) -> bool {
        let mut state = self.state.lock();
        let loss = state.gossip_loss;
        state.rng.random_bool(loss)
    }

    pub(super) fn schedule(&self, due: Instant, order: Option<OrderKey>, action: Action) {
        self.schedule.add(due, order, action);
    }

    /// Carries `action` from node to node on the connection of that number: it happens at `due`, waits while the way is
    /// blocked, and never happens when the connection ends before.
    pub(super) fn carry(self: &Arc<Self>, from: NodeId, to: NodeId, tag: u8, number: u64, action: Action) {
        let shared = Arc::downgrade(self);
        let due = self.arrival() + self.delay();
        let arrive: Action = Box::new(move || {
            let Some(shared) = shared.upgrade() else { return };
            let open = shared.is_way_open(from, to);
            let mut state = shared.state.lock();
            if state.links.connection(from, to) != Some(number) {
                return;
            }
            if open {
                drop(state);
                action();
            } else {
                state.links.hold(from, to, action);
            }
        });
        self.schedule(due, Some((from.0, to.0, tag)), arrive);
    }

    /// Connects two nodes when both run and hear each other, and tells both.
    pub(super) fn try_connect(self: &Arc<Self>, a: NodeId, b: NodeId) {
        if self.is_open(a, b) && self.state.lock().links.connect(a, b) {
            let due = self.arrival();
            self.tell(a, b, due, PeerEvent::Connected);
            self.tell(b, a, due, PeerEvent::Connected);
            self.changed();
        }
    }

    /// Ends a connection: both nodes lose what is under way and are told.
    pub(super) fn close(self: &Arc<Self>, a: NodeId, b: NodeId, number: u64) {
        if !self.state.lock().links.disconnect(a, b, number) {
            return;
        }
        for (node, peer) in [(a, b), (b, a)] {
            self.tell(node, peer, self.time.now(), PeerEvent::Closed);
            if let Some(mesh) = self.running(node) {
                mesh.lose(peer);
            }
        }
        self.changed();
    }

    pub(super) fn tell(&self, node: NodeId, peer: NodeId, due: Instant, event: fn(Incarnation) -> PeerEvent) {
        let state = self.state.lock();
        let (Some(mesh), Some(peer)) = (state.nodes.get(&node).cloned(), state.nodes.get(&peer)) else { return };
        let event = event(peer.life());
        drop(state);
        let action: Action = Box::new(move || {
            if !mesh.is_ended() {
                let _entered = mesh.enter();
                mesh.handlers().notify(event);
            }
        });
        self.schedule(due, Some((node.0, node.0, EVENTS)), action);
    }
}
