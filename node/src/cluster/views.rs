//! The cluster as an operator sees it, put together from what this node knows. Pure.

use octopussy_control::{ControlState, MemberRecord};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{
    ClusterView, MemberRole, MemberView, NodeFactsView, PeerView, Reach, ReachabilityPort, ShardView,
};
use octopussy_mesh::Impostor;
use octopussy_shard::{ClockReport, OwnLosses, UnendedUse};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What this node knows at one moment.
pub(crate) struct Seen<'a> {
    /// This node.
    pub(crate) me: NodeId,
    /// Its copy of the control state.
    pub(crate) control: &'a ControlState,
    /// Who answers.
    pub(crate) reach: &'a dyn ReachabilityPort,
    /// Who leads a shard.
    pub(crate) leader: &'a dyn Fn(ShardId) -> Option<NodeId>,
    /// Who votes in the control group; empty while that is not known.
    pub(crate) control_voters: BTreeSet<NodeId>,
    /// Who leads the control group.
    pub(crate) control_leader: Option<NodeId>,
    /// Connected peers.
    pub(crate) peers: Vec<PeerView>,
    /// How many replicas of each node this one has found to have lost what they had, as their leader, since it started.
    pub(crate) lost_replicas: BTreeMap<NodeId, u64>,
    /// What the replicas of this node have lost.
    pub(crate) own_losses: OwnLosses,
    /// What nodes tell of themselves.
    pub(crate) facts: BTreeMap<NodeId, NodeFactsView>,
    /// How the members' clocks differ.
    pub(crate) clocks: ClockReport,
    /// How full the disk of this node's data is, where that can be told.
    pub(crate) disk_used_percent: Option<u64>,
    /// What the unended tasks take of this node, and what they may take.
    pub(crate) unended: UnendedUse,
    /// Starts of other nodes that were refused here for their home, and how long ago.
    pub(crate) refused: Vec<(Duration, Impostor)>,
}

impl Seen<'_> {
    /// Whether the member answers; one that was never heard of and is not connected is unknown.
    pub(crate) fn reach_of(&self, node: NodeId) -> Reach {
        if node == self.me {
            return Reach::Alive;
        }
        match self.reach.reach(node) {
            Reach::Unknown if self.peers.iter().any(|peer| peer.incarnation.node == node) => Reach::Alive,
            known @ (Reach::Alive | Reach::Suspect | Reach::Down | Reach::Unknown) => known,
        }
    }

    /// Who leads the shard. A copy without a vote holds on to the last leader it heard; one that is down leads nothing.
    pub(crate) fn leader_of(&self, shard: ShardId) -> Option<NodeId> {
        (self.leader)(shard).filter(|leader| self.reach_of(*leader) != Reach::Down)
    }

    /// Whether anybody leads the control group, in the same sense.
    pub(crate) fn control_is_led(&self) -> bool {
        self.control_leader.is_some_and(|leader| self.reach_of(leader) != Reach::Down)
    }

    fn shards(&self) -> impl Iterator<Item = ShardId> {
        (0..u16::try_from(self.control.table.len()).unwrap_or(u16::MAX)).map(ShardId)
    }

    /// The cluster as a whole.
    pub(crate) fn cluster(&self) -> ClusterView {
        let table = &self.control.table;
        ClusterView {
            id: self.control.cluster.as_ref().map(|cluster| cluster.id.clone()).unwrap_or_default(),
            node: self.me.to_string(),
            shards: u16::try_from(table.len()).unwrap_or(u16::MAX),
            led: u16::try_from(self.shards().filter(|shard| self.leader_of(*shard).is_some()).count())
                .unwrap_or(u16::MAX),
            members: self.control.members.len(),
            table_version: self.control.table_version,
            moves: table.iter().filter(|place| place.target.is_some()).count(),
            warnings: super::warnings::warnings(self),
        }
    }

    /// The members, by name.
    pub(crate) fn members(&self) -> Vec<MemberView> {
        let mut leads: BTreeMap<NodeId, u32> = BTreeMap::new();
        for leader in self.shards().filter_map(|shard| self.leader_of(shard)) {
            *leads.entry(leader).or_default() += 1;
        }
        let mut replicas: BTreeMap<NodeId, u32> = BTreeMap::new();
        for place in &self.control.table {
            for node in place.current.voters.iter().chain(&place.current.learners) {
                *replicas.entry(*node).or_default() += 1;
            }
        }
        let count = |of: &BTreeMap<NodeId, u32>, node| of.get(&node).copied().unwrap_or_default();
        let view = |member: &MemberRecord| self.member(member, count(&leads, member.id), count(&replicas, member.id));
        let mut members: Vec<MemberView> = self.control.members.values().map(view).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    fn member(&self, member: &MemberRecord, leads: u32, replicas: u32) -> MemberView {
        let peer = self.peers.iter().find(|peer| peer.incarnation.node == member.id);
        MemberView {
            id: member.id.to_string(),
            name: member.name.clone(),
            this: member.id == self.me,
            role: member.role,
            desired: member.desired,
            reach: self.reach_of(member.id),
            latency_ms: peer.map(|peer| peer.rtt.as_secs_f64() * 1_000.0),
            addresses: member.addresses.iter().map(ToString::to_string).collect(),
            capacity: member.capacity,
            zone: member.zone.clone(),
            votes: self.control_voters.contains(&member.id),
            leads,
            replicas,
            joined_at: member.joined_at,
            facts: self.facts.get(&member.id).cloned(),
        }
    }

    /// The shards, by number.
    pub(crate) fn ring(&self) -> Vec<ShardView> {
        let names = |nodes: &[NodeId]| nodes.iter().map(ToString::to_string).collect();
        self.shards()
            .zip(&self.control.table)
            .map(|(shard, place)| ShardView {
                shard: shard.0,
                leader: self.leader_of(shard).map(|leader| leader.to_string()),
                voters: names(&place.current.voters),
                learners: names(&place.current.learners),
                moving_to: place
                    .target
                    .as_ref()
                    .map(|target| target.voters.iter().chain(&target.learners).map(ToString::to_string).collect())
                    .unwrap_or_default(),
            })
            .collect()
    }

    /// Members that hold replicas.
    pub(crate) fn full_members(&self) -> Vec<&MemberRecord> {
        self.control.members.values().filter(|member| member.role == MemberRole::Full).collect()
    }

    /// The member that is meant: a name, an id, or a beginning of an id that only one has.
    ///
    /// # Errors
    /// A sentence that says who there is.
    pub(crate) fn find(&self, text: &str) -> Result<&MemberRecord, String> {
        let members = self.control.members.values();
        if let Some(member) = members.clone().find(|member| member.name == text) {
            return Ok(member);
        }
        let prefix = text.to_ascii_lowercase();
        let mut found = members.filter(|member| !prefix.is_empty() && member.id.to_string().starts_with(&prefix));
        match (found.next(), found.next()) {
            (Some(member), None) => Ok(member),
            (Some(_), Some(_)) => Err(format!("'{text}' is the beginning of several members' ids: write more of it")),
            (None, _) => {
                let names: Vec<&str> = self.control.members.values().map(|member| member.name.as_str()).collect();
                Err(format!("there is no member '{text}': the members are {}", names.join(", ")))
            }
        }
    }
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
