//! Tells the mesh where members are, as the control state and the membership protocol know it.

use octopussy_control::ControlState;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MeshPort;
use octopussy_membership::{AddressObserver, Membership};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How many addresses of a member are tried: those it has reported, and the newest it was heard from.
const MAX_KNOWN: usize = 33;

/// Where members are. Pure but for the port it tells.
pub(crate) struct PeerBook {
    me: NodeId,
    mesh: Arc<dyn MeshPort>,
    /// Held while the mesh is told: a node that is learned after it was forgotten would be let in again.
    inner: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    /// As the control state has it.
    committed: BTreeMap<NodeId, Vec<SocketAddr>>,
    /// As the member itself said it, through the membership protocol.
    heard: BTreeMap<NodeId, SocketAddr>,
    departed: BTreeSet<NodeId>,
}

impl PeerBook {
    /// An empty book of node `me`.
    pub(crate) fn new(me: NodeId, mesh: Arc<dyn MeshPort>) -> Arc<Self> {
        Arc::new(Self { me, mesh, inner: Mutex::default() })
    }

    /// Takes over what the control state says: members with their addresses, and who has left.
    pub(crate) fn follow(&self, control: &ControlState) -> Vec<NodeId> {
        let mut pages = self.inner.lock();
        for (node, member) in &control.members {
            if *node != self.me && pages.committed.get(node) != Some(&member.addresses) {
                pages.committed.insert(*node, member.addresses.clone());
                self.mesh.learn(*node, &pages.known(*node));
            }
        }
        let mut forgotten = Vec::new();
        for node in control.departed.keys() {
            if *node != self.me && pages.departed.insert(*node) {
                pages.committed.remove(node);
                pages.heard.remove(node);
                self.mesh.forget(*node);
                forgotten.push(*node);
            }
        }
        forgotten
    }

    /// Takes over what members say who have let this node in: before the control state has reached it.
    pub(crate) fn introduce(&self, node: NodeId, addresses: &[SocketAddr]) {
        let pages = self.inner.lock();
        if node != self.me && !pages.departed.contains(&node) {
            self.mesh.learn(node, addresses);
        }
    }

    /// Whether a member is not connected.
    pub(crate) fn misses_members(&self) -> bool {
        self.inner.lock().committed.keys().any(|node| !self.mesh.is_connected(*node))
    }

    /// Has members that are not connected looked for at `addresses`, too. Which of them is where shows when they are asked: each
    /// proves its id by its key.
    pub(crate) fn try_also(&self, addresses: &[SocketAddr]) {
        let pages = self.inner.lock();
        for node in pages.committed.keys().filter(|node| !self.mesh.is_connected(**node)) {
            let mut places = addresses.to_vec();
            places.extend(pages.known(*node).into_iter().filter(|known| !addresses.contains(known)));
            self.mesh.learn(*node, &places);
        }
    }

    /// Follows the control state until told to stop; members that have left are forgotten by the membership protocol, too.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut control: watch::Receiver<Arc<ControlState>>,
        membership: Weak<Membership>,
        stopping: CancellationToken,
    ) {
        loop {
            let state = control.borrow_and_update().clone();
            let forgotten = self.follow(&state);
            if let Some(membership) = membership.upgrade() {
                forgotten.into_iter().for_each(|node| membership.forget(node));
                // A copy that does not show yet that this node was let in is from before, and knows too few.
                if state.members.contains_key(&self.me) {
                    membership.set_members(state.members.keys().copied().collect());
                }
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                changed = control.changed() => if changed.is_err() { return },
            }
        }
    }
}

impl Pages {
    /// Everything that is known of where the node is, the newest first.
    fn known(&self, node: NodeId) -> Vec<SocketAddr> {
        let mut known: Vec<SocketAddr> = self.heard.get(&node).copied().into_iter().collect();
        for address in self.committed.get(&node).into_iter().flatten() {
            if !known.contains(address) {
                known.push(*address);
            }
        }
        known.truncate(MAX_KNOWN);
        known
    }
}

impl AddressObserver for PeerBook {
    fn learned(&self, node: NodeId, address: SocketAddr) {
        let mut pages = self.inner.lock();
        // Only members are dialled: gossip names nobody into the cluster.
        if node == self.me || !pages.committed.contains_key(&node) {
            return;
        }
        pages.heard.insert(node, address);
        self.mesh.learn(node, &pages.known(node));
    }
}

#[cfg(test)]
#[path = "peer_book_tests.rs"]
mod tests;
