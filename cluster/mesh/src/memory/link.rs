//! The state of the ways between the nodes of a network.

use super::schedule::Action;
use octopussy_core::ids::NodeId;
use std::collections::{HashMap, HashSet};

/// Two nodes in either order.
pub(super) type Pair = (NodeId, NodeId);

/// The pair, lower id first.
pub(super) fn pair(a: NodeId, b: NodeId) -> Pair {
    if a <= b { (a, b) } else { (b, a) }
}

/// All ways of a network. Pure: it knows no time and moves no bytes.
#[derive(Default)]
pub(super) struct Links {
    /// Ways on which nothing arrives, from the first to the second.
    blocked: HashSet<Pair>,
    /// Connections by pair, with the number of each: what was sent on one connection never arrives on a later one.
    connections: HashMap<Pair, u64>,
    /// What waits on a blocked way for the way to be healed, as QUIC would send it again.
    held: HashMap<Pair, Vec<Action>>,
    last: u64,
}

impl Links {
    /// The number of the connection between two nodes.
    pub(super) fn connection(&self, a: NodeId, b: NodeId) -> Option<u64> {
        self.connections.get(&pair(a, b)).copied()
    }

    /// Connects two nodes unless they are connected already or one cannot reach the other.
    pub(super) fn connect(&mut self, a: NodeId, b: NodeId) -> bool {
        if self.is_blocked(a, b) || self.is_blocked(b, a) || self.connection(a, b).is_some() {
            return false;
        }
        self.last += 1;
        self.connections.insert(pair(a, b), self.last);
        true
    }

    /// Ends the connection of that number; what is held on it is lost.
    pub(super) fn disconnect(&mut self, a: NodeId, b: NodeId, number: u64) -> bool {
        if self.connection(a, b) != Some(number) {
            return false;
        }
        self.connections.remove(&pair(a, b));
        self.held.remove(&(a, b));
        self.held.remove(&(b, a));
        true
    }

    pub(super) fn is_blocked(&self, from: NodeId, to: NodeId) -> bool {
        self.blocked.contains(&(from, to))
    }

    pub(super) fn block(&mut self, from: NodeId, to: NodeId) {
        self.blocked.insert((from, to));
    }

    /// Opens both ways and returns what was held on them, in order.
    pub(super) fn heal(&mut self, a: NodeId, b: NodeId) -> Vec<Action> {
        let mut held = Vec::new();
        for way in [(a, b), (b, a)] {
            self.blocked.remove(&way);
            held.extend(self.held.remove(&way).unwrap_or_default());
        }
        held
    }

    /// All blocked ways.
    pub(super) fn blocked(&self) -> Vec<Pair> {
        let mut ways: Vec<_> = self.blocked.iter().copied().collect();
        ways.sort_unstable();
        ways
    }

    /// Keeps `action` until the way is healed or the connection ends.
    pub(super) fn hold(&mut self, from: NodeId, to: NodeId, action: Action) {
        self.held.entry((from, to)).or_default().push(action);
    }
}
