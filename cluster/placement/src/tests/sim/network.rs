//! Who is up, who is connected, and what each node has noticed of it.

use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Reach, ReachabilityPort};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a silence lasts before it is noticed, and before it counts as down.
const SUSPECT_AFTER: u64 = 1_000;
pub(super) const DOWN_AFTER: u64 = 3_000;

#[derive(Default)]
pub(super) struct Network {
    pub(super) up: BTreeSet<NodeId>,
    /// Nodes on the smaller side of a partition.
    pub(super) cut: BTreeSet<NodeId>,
    /// Since when an observer hears nothing of a node; with `false` when it has not heard of it since its own start.
    silent: BTreeMap<(NodeId, NodeId), (u64, bool)>,
}

impl Network {
    pub(super) fn with(node: NodeId) -> Self {
        Self { up: BTreeSet::from([node]), ..Self::default() }
    }

    pub(super) fn linked(&self, a: NodeId, b: NodeId) -> bool {
        self.up.contains(&a) && self.up.contains(&b) && (a == b || self.cut.contains(&a) == self.cut.contains(&b))
    }

    /// Notices who is silent. A node that is not up notices nothing and starts anew.
    pub(super) fn observe(&mut self, everybody: &[NodeId], now: u64) {
        for &observer in everybody {
            for &node in everybody {
                let known = self.silent.get(&(observer, node)).copied();
                if self.linked(observer, node) {
                    self.silent.remove(&(observer, node));
                } else if !self.up.contains(&observer) {
                    self.silent.insert((observer, node), (now, false));
                } else if known.is_none() {
                    self.silent.insert((observer, node), (now, true));
                }
            }
        }
    }

    pub(super) fn view(&self, observer: NodeId, now: u64) -> View<'_> {
        View { network: self, observer, now, impatient: false }
    }
}

/// What one node has noticed.
pub(super) struct View<'a> {
    network: &'a Network,
    observer: NodeId,
    now: u64,
    /// A planted fault: whoever is down counts as having been so for ever.
    pub(super) impatient: bool,
}

impl ReachabilityPort for View<'_> {
    fn reach(&self, node: NodeId) -> Reach {
        let Some((since, heard)) = self.network.silent.get(&(self.observer, node)) else { return Reach::Alive };
        match self.now - since {
            silence if silence >= DOWN_AFTER => Reach::Down,
            _ if !heard => Reach::Unknown,
            silence if silence >= SUSPECT_AFTER => Reach::Suspect,
            _ => Reach::Alive,
        }
    }

    fn down_for(&self, node: NodeId) -> Option<Duration> {
        let (since, _) = self.network.silent.get(&(self.observer, node))?;
        let down = (self.now - since).checked_sub(DOWN_AFTER)?;
        Some(if self.impatient { Duration::from_secs(86_400) } else { Duration::from_millis(down) })
    }
}
