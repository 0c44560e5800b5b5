//! Nodes that lose what was on their disks, or are to hold nothing.

use super::node::SimNode;
use super::world::World;
use crate::groups::Group;
use crate::raft::GroupId;
use crate::tests::support::{admin, node_id};
use octopussy_control::{ControlCommand, ControlState};
use octopussy_core::ports::MemberDesired;
use octopussy_core::time::Clock;
use openraft::async_runtime::watch::WatchReceiver;
use std::sync::Arc;

impl World {
    /// Whether a node may lose what is on its disks: no shard has lost another copy, or is on its way, or has a copy only.
    pub(super) fn may_lose_disks(&self, node: u8) -> bool {
        self.lost_disks.is_none()
            && self.drained.is_none()
            && self.latest().is_some_and(|control| {
                control
                    .table
                    .iter()
                    .all(|place| place.target.is_none() && place.former.is_empty() && place.current.voters.len() >= 3)
            })
            && self.nodes[&node].is_up()
    }

    /// Says whether a node is to hold anything.
    pub(super) fn desire(&self, number: u8) {
        let desired = if self.drained == Some(number) { MemberDesired::Draining } else { MemberDesired::Active };
        self.history.trouble(format!("{number} is to be {desired:?}"));
        for node in self.nodes.values() {
            let Some(opened) = node.opened() else { continue };
            let (host, now) = (Arc::clone(&opened.host), node.clock.now());
            let command = ControlCommand::SetDesired {
                node: node_id(number),
                desired,
                now,
                by: octopussy_control::AskedBy::UNTOLD,
            };
            node.spawn(async move { drop(host.propose_control_for(admin(), command).await) });
        }
    }

    /// Sees whether whoever has lost its disks has everything again, and that nobody stays away who should not.
    pub(super) fn look_after_replicas(&mut self) {
        if self.lost_disks.is_some_and(|node| self.has_everything(node)) {
            self.lost_disks = None;
        }
        let Some(control) = self.latest() else { return };
        let is_drained = |number: u8| {
            control.members.get(&node_id(number)).is_some_and(|member| member.desired == MemberDesired::Draining)
        };
        let wrong = |number: &u8| is_drained(*number) != (self.drained == Some(*number));
        let wrong: Vec<u8> = self.nodes.keys().copied().filter(wrong).collect();
        for number in wrong {
            self.desire(number);
        }
    }

    /// The latest that any node knows of the cluster.
    fn latest(&self) -> Option<Arc<ControlState>> {
        let known = self.nodes.values().filter_map(|node| Some(node.opened()?.host.control()));
        known.max_by_key(|control| control.version)
    }

    /// Whether every group that has this node as a member has the replica that is on it, and has brought it up to date.
    fn has_everything(&self, number: u8) -> bool {
        let Some(control) = self.latest() else { return false };
        let shards = control.shards_of(node_id(number)).map(GroupId::of);
        std::iter::once(GroupId::CONTROL).chain(shards).all(|group| self.has_replica(number, group))
    }

    fn has_replica(&self, number: u8, id: GroupId) -> bool {
        let group = |node: &SimNode| node.opened().and_then(|opened| opened.host.core().registry.get(id));
        let Some(own) = group(&self.nodes[&number]) else { return false };
        let leads = |group: &Arc<Group>| group.leads() && group.leader() == Some(group.context().me);
        let leaders = self.nodes.values().filter_map(group).filter(leads);
        let Some(leader) = leaders.max_by_key(|group| group.raft().metrics().borrow_watched().current_term) else {
            return false;
        };
        let metrics = leader.raft().metrics().borrow_watched().clone();
        let named = metrics.committed_membership_config.membership().get_node(&node_id(number)).copied();
        let matched = metrics.replication.iter().flatten().find(|(node, _)| **node == node_id(number));
        let matched = matched.and_then(|(_, matched)| *matched);
        let settled = metrics.membership_config.log_id() == metrics.committed_membership_config.log_id();
        settled
            && named == Some(own.replica())
            && (leader.context().me == node_id(number) || matched >= metrics.last_applied)
    }
}
