//! The network that in-memory nodes are on.

use super::link::Links;
use super::node::MemoryMesh;
use super::schedule::{Action, Schedule};
use super::shared::{Resending, Shared, State};
use super::time::Time;
use crate::limits::IDLE_TIMEOUT;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, Lane};
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A network of in-memory nodes, all of which are connected unless partitioned or stopped. Cheap to clone.
///
/// It models QUIC: requests and streams are never lost on a connection, they wait while a way is blocked; after
/// [`Network::set_detection`] the connection is closed and what was under way is lost. Datagrams and one-way messages are
/// lost at the set rates and on blocked ways. What is random is drawn from the seed in the order in which things are sent,
/// so that a run on a single-threaded runtime with a paused clock repeats itself.
#[derive(Clone)]
pub struct Network {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("nodes", &self.shared.state.lock().nodes.len()).finish_non_exhaustive()
    }
}

impl Network {
    /// A network without nodes, latency or loss. Everything random follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Time::Runtime, Schedule::default())
    }

    /// A network whose time [`Network::run_until`] alone moves, for simulations in which each node has a runtime of its own with
    /// a clock of its own. What arrives at a node happens within the runtime in which the node was added, which may be at rest
    /// meanwhile. A latency must not be shorter than what the runtimes are run ahead of the network.
    #[must_use]
    pub fn driven(seed: u64) -> Self {
        Self::with(seed, Time::driven(), Schedule::driven())
    }

    fn with(seed: u64, time: Time, schedule: Schedule) -> Self {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            latency: Duration::ZERO..=Duration::ZERO,
            datagram_loss: 0.0,
            gossip_loss: 0.0,
            resending: Resending::default(),
            silenced: None,
            detection: IDLE_TIMEOUT,
            links: Links::default(),
            nodes: BTreeMap::new(),
        };
        let shared =
            Shared { state: Mutex::new(state), time, schedule: Arc::new(schedule), changes: watch::Sender::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// Moves the time of a driven network to `time` after its beginning; what is due by then happens, in its order.
    ///
    /// # Panics
    /// When the network runs on the clock of a runtime: a mistake of the test.
    pub fn run_until(&self, time: Duration) {
        let Time::Driven(driven) = &self.shared.time else { panic!("only a driven network is run by hand") };
        let end = driven.at(time);
        while let Ok((due, action)) = self.shared.schedule.take_due(end) {
            driven.set(due);
            action();
        }
        driven.set(end);
    }

    /// Adds a node in its `boot`-th life and connects it with all others. An older life of the same node is stopped, and its
    /// peers see its connections closed at once.
    pub fn node(&self, node: NodeId, boot: u64) -> Arc<MemoryMesh> {
        let old = self.shared.state.lock().nodes.get(&node).cloned();
        if let Some(old) = old {
            old.end();
            self.close_all(node);
        }
        let mesh = MemoryMesh::new(Incarnation { node, boot }, &self.shared);
        let others: Vec<NodeId> = {
            let mut state = self.shared.state.lock();
            state.nodes.insert(node, mesh.clone());
            state.nodes.keys().copied().filter(|other| *other != node).collect()
        };
        for other in others {
            self.shared.try_connect(node, other);
        }
        mesh
    }

    /// The node's present life, running or stopped.
    #[must_use]
    pub fn get(&self, node: NodeId) -> Option<Arc<MemoryMesh>> {
        self.shared.state.lock().nodes.get(&node).cloned()
    }

    /// Sets the one-way latency, drawn evenly from the range for everything that is sent. Default: none.
    pub fn set_latency(&self, latency: RangeInclusive<Duration>) {
        self.shared.state.lock().latency = latency;
    }

    /// Sets the share of datagrams and of one-way messages that are lost, each from 0 to 1. Default: none.
    pub fn set_loss(&self, datagrams: f64, gossip: f64) {
        let mut state = self.shared.state.lock();
        state.datagram_loss = datagrams.clamp(0.0, 1.0);
        state.gossip_loss = gossip.clamp(0.0, 1.0);
    }

    /// Sets which share of what travels on connections, from 0 to 1, is lost at first and sent again `after` that: whatever
    /// follows on the same lane waits for it. Default: none.
    pub fn set_resending(&self, share: f64, after: Duration) {
        self.shared.state.lock().resending = Resending { share: share.clamp(0.0, 1.0), after };
    }

    /// Sets how long a connection outlives its ways: the idle timeout of QUIC, 3 s by default.
    pub fn set_detection(&self, after: Duration) {
        self.shared.state.lock().detection = after;
    }

    /// Lets no request on one lane arrive, or none be held back again: each runs into its deadline, while all else passes.
    pub fn silence(&self, lane: Option<Lane>) {
        self.shared.state.lock().silenced = lane;
    }

    /// Lets nothing pass between the two nodes. Their connection is closed when that is detected.
    pub fn partition(&self, a: NodeId, b: NodeId) {
        self.block(&[(a, b), (b, a)]);
    }

    /// Lets nothing pass from one node to the other; the other direction works, and the connection breaks nevertheless, as
    /// nothing is acknowledged on it.
    pub fn partition_one_way(&self, from: NodeId, to: NodeId) {
        self.block(&[(from, to)]);
    }

    /// Separates the nodes of `group` from all others.
    pub fn isolate(&self, group: &[NodeId]) {
        let nodes: Vec<NodeId> = self.shared.state.lock().nodes.keys().copied().collect();
        for inside in group {
            for outside in nodes.iter().filter(|node| !group.contains(node)) {
                self.partition(*inside, *outside);
            }
        }
    }

    /// Ends the partition between two nodes, in both directions. What waited on their connection arrives when the break was
    /// shorter than its detection; otherwise they are connected anew.
    pub fn heal(&self, a: NodeId, b: NodeId) {
        let held = self.shared.state.lock().links.heal(a, b);
        for action in held {
            self.shared.schedule.add(self.shared.time.now(), None, action);
        }
        self.shared.try_connect(a, b);
        self.shared.changed();
    }

    /// Ends all partitions.
    pub fn heal_all(&self) {
        let blocked = self.shared.state.lock().links.blocked();
        for (a, b) in blocked {
            self.heal(a, b);
        }
    }

    /// Crashes the node: it says and hears nothing any more, and its peers detect that later. Futures of handlers that it
    /// had begun go on, yet nobody hears their answers.
    pub fn stop(&self, node: NodeId) {
        let Some(mesh) = self.get(node) else { return };
        mesh.end();
        for other in self.peers_of(node) {
            self.detect(node, other);
        }
        self.shared.changed();
    }

    /// Starts a stopped (or running) node in its next life. Handlers have to be set again.
    ///
    /// # Panics
    /// When the network never had such a node: a mistake of the test.
    pub fn restart(&self, node: NodeId) -> Arc<MemoryMesh> {
        let boot = self.get(node).map(|mesh| mesh.boot());
        self.node(node, boot.expect("only a node that was there can be restarted") + 1)
    }

    /// Ends all connections of `node` at once, as when it says goodbye.
    pub(super) fn close_all(&self, node: NodeId) {
        for other in self.peers_of(node) {
            let number = self.shared.state.lock().links.connection(node, other);
            if let Some(number) = number {
                self.shared.close(node, other, number);
            }
        }
    }

    fn peers_of(&self, node: NodeId) -> Vec<NodeId> {
        let state = self.shared.state.lock();
        state.nodes.keys().copied().filter(|other| state.links.connection(node, *other).is_some()).collect()
    }

    fn block(&self, ways: &[(NodeId, NodeId)]) {
        for (from, to) in ways {
            self.shared.state.lock().links.block(*from, *to);
        }
        if let Some((a, b)) = ways.first() {
            self.detect(*a, *b);
        }
        self.shared.changed();
    }

    /// Closes the connection after the time of detection, unless the way is open again by then.
    fn detect(&self, a: NodeId, b: NodeId) {
        let (number, after) = {
            let state = self.shared.state.lock();
            (state.links.connection(a, b), state.detection)
        };
        let Some(number) = number else { return };
        let shared = Arc::downgrade(&self.shared);
        let action: Action = Box::new(move || {
            let Some(shared) = shared.upgrade() else { return };
            if !shared.is_open(a, b) {
                shared.close(a, b, number);
            }
        });
        self.shared.schedule.add(self.shared.time.now() + after, None, action);
    }
}
