//! What the mesh and the operator tell the protocol.

use super::core::Swim;
use super::identity::Identity;
use super::output::{Output, TimerKind};
use foca::{Member, State};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Incarnation;
use std::net::SocketAddr;
use std::time::Duration;

impl Swim {
    /// A connection has been made: full states are compared at once, and exchanged where they differ.
    ///
    /// A node that has lost everybody takes itself for the one that was lost: it starts over under a new identity instead of
    /// telling all the others that they are down, after which every one of them would have to take a new one.
    pub fn on_connected(&mut self, now: Duration, peer: Incarnation, out: &mut Vec<Output>) {
        if self.left || peer.node == self.node() {
            return;
        }
        let alone = self.foca.num_members() == 0 && self.table.iter().next().is_some();
        if let Some(identity) = self.identity().renewed().filter(|_| alone) {
            self.start_over(identity, out);
        }
        self.connected.insert(peer.node, peer.boot);
        let claimed = self.foca.iter_membership_state().find(|member| member.id().node == peer.node);
        if claimed.is_some_and(|member| member.id().boot > peer.boot) {
            // Somebody told of a life of it that there is not.
            self.unlearn(peer.node, false, out);
        }
        self.doubt(peer.node, out);
        if self.settings.sync_on_connect {
            self.unsynced.insert(peer.node);
            // One of the two begins; the other makes sure that it has been done.
            if self.node() < peer.node {
                self.compare_with(peer.node, out);
            }
            self.schedule(SYNC_AGAIN_AFTER, TimerKind::SyncAgain(peer.node), out);
        } else {
            let identity = Identity::new(peer, None);
            let _ = self.with_foca(out, |foca, effects| foca.announce(identity, effects));
        }
        self.settle(now, out);
    }

    /// A connection was lost: its peer is suspected at once. If it lives it hears so from others and speaks up.
    ///
    /// A peer that others suspect already is given the same time from here on. Foca has only who began a suspicion end it,
    /// and whom the word of that end does not reach would wait until it probes the peer itself: among a hundred, half a
    /// minute.
    pub fn on_closed(&mut self, now: Duration, peer: Incarnation, out: &mut Vec<Output>) {
        if self.connected.get(&peer.node).is_some_and(|boot| *boot == peer.boot) {
            self.connected.remove(&peer.node);
            self.unsynced.remove(&peer.node);
        }
        if self.left {
            return;
        }
        let known = self
            .foca
            .iter_membership_state()
            .find(|member| member.id().incarnation() == peer && member.state() != State::Down)
            .map(|member| (*member.id(), member.incarnation()));
        if let Some((identity, incarnation)) = known {
            self.suspect(identity, incarnation, out);
        }
        self.settle(now, out);
    }

    /// Tells others that this node leaves. Nothing is taken or sent afterwards.
    pub fn leave(&mut self, now: Duration, out: &mut Vec<Output>) {
        if self.left {
            return;
        }
        let identity = *self.identity();
        let _ = self.with_foca(out, |foca, effects| foca.leave_cluster(effects));
        // Datagrams get lost, and nobody takes it from others while this node is connected: the word is also given on a stream.
        let farewell = Member::new(identity, foca::Incarnation::MAX, State::Down);
        self.tell_all(vec![farewell], out);
        self.settle(now, out);
        self.left = true;
    }

    /// Forgets a node that was removed from the cluster for good; whatever is still said of it is ignored.
    pub fn forget(&mut self, now: Duration, node: NodeId, out: &mut Vec<Output>) {
        self.unlearn(node, true, out);
        self.table.forget(node);
        self.connected.remove(&node);
        self.unsynced.remove(&node);
        self.settle(now, out);
    }

    /// This node now listens elsewhere: it takes a new identity that says so.
    pub fn set_address(&mut self, now: Duration, address: Option<SocketAddr>, out: &mut Vec<Output>) {
        let Some(identity) = self.identity().renewed().filter(|_| !self.left && self.identity().address != address)
        else {
            return;
        };
        let identity = Identity { address, ..identity };
        if self.with_foca(out, |foca, effects| foca.change_identity(identity, effects)).is_ok() {
            // Foca is idle until a member is heard of; those it knows are still there.
            let known: Vec<_> = self.foca.iter_membership_state().cloned().collect();
            let _ = self.with_foca(out, |foca, effects| foca.apply_many(known.into_iter(), false, effects));
            out.push(Output::Renewed(identity));
        }
        self.mark();
        self.settle(now, out);
    }
}

/// After what time an exchange of full states at a new connection is begun again, in case it failed: longer than a slow
/// path's round trip, and short beside the periodic comparison.
pub(super) const SYNC_AGAIN_AFTER: Duration = Duration::from_secs(2);
