//! A replicated group, reduced to what matters here: who holds how much of one log, who leads, who votes.

use super::network::Network;
use super::rng::Rng;
use crate::{Action, Group, GroupView, MembershipView};
use octopussy_control::MembershipStamp;
use octopussy_core::ids::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a leader goes on without hearing from a majority.
const LEASE: u64 = 1_000;
/// How many entries a follower takes in one step.
const COPIED: u64 = 1_500;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) configs: Vec<BTreeSet<NodeId>>,
    pub(super) learners: BTreeSet<NodeId>,
    /// The entry that holds it.
    pub(super) index: u64,
}

impl Membership {
    pub(super) fn nodes(&self) -> BTreeSet<NodeId> {
        self.configs.iter().flatten().chain(&self.learners).copied().collect()
    }

    pub(super) fn votes(&self, node: NodeId) -> bool {
        self.configs.iter().any(|config| config.contains(&node))
    }

    pub(super) fn majority(&self, holds: impl Fn(NodeId) -> bool) -> bool {
        self.configs.iter().all(|config| config.iter().filter(|node| holds(**node)).count() * 2 > config.len())
    }
}

pub(super) struct SimGroup {
    pub(super) group: Group,
    pub(super) log: u64,
    pub(super) committed: u64,
    /// How much of the log each node holds, members or not. Logs are beginnings of one another.
    pub(super) held: BTreeMap<NodeId, u64>,
    /// Members that came back with less than they had: they count for nothing until they are let in again.
    pub(super) lost: BTreeSet<NodeId>,
    pub(super) membership: Membership,
    previous: Option<Membership>,
    pub(super) leader: Option<NodeId>,
    heard_at: u64,
    rested_at: u64,
    /// Who is bringing a joint configuration to its end, and who follows afterwards.
    driving: Option<(NodeId, BTreeSet<NodeId>)>,
}

impl SimGroup {
    pub(super) fn new(group: Group, founder: NodeId) -> Self {
        let configs = vec![BTreeSet::from([founder])];
        Self {
            group,
            log: 5_000,
            committed: 5_000,
            held: BTreeMap::from([(founder, 5_000)]),
            lost: BTreeSet::new(),
            membership: Membership { configs, learners: BTreeSet::new(), index: 0 },
            previous: None,
            leader: Some(founder),
            heard_at: 0,
            rested_at: 0,
            driving: None,
        }
    }

    pub(super) fn is_committed(&self) -> bool {
        self.membership.index <= self.committed
    }

    /// The present membership, and the one it falls back to if it is never committed.
    pub(super) fn memberships(&self) -> impl Iterator<Item = &Membership> {
        std::iter::once(&self.membership).chain(&self.previous)
    }

    /// Whether a change of `by`'s is still on its way.
    pub(super) fn is_changing(&self, by: NodeId) -> bool {
        self.leader == Some(by)
            && (!self.is_committed() || self.driving.as_ref().is_some_and(|(driver, _)| *driver == by))
    }

    pub(super) fn view(&self, me: NodeId, now: u64, busy: bool) -> GroupView {
        GroupView {
            group: self.group,
            leader: self.leader,
            membership: MembershipView {
                configs: self.membership.configs.clone(),
                learners: self.membership.learners.clone(),
                at: MembershipStamp { term: 0, index: self.membership.index },
                committed: self.is_committed(),
            },
            last_index: self.log,
            matched: self.held.clone(),
            lost: self.lost.clone(),
            rested: (self.leader == Some(me)).then(|| Duration::from_millis(now - self.rested_at)),
            busy,
        }
    }

    /// A step of time.
    pub(super) fn step(&mut self, now: u64, network: &Network, rng: &mut Rng) -> Result<(), String> {
        match self.leader {
            Some(leader) => self.lead(leader, now, network, rng),
            None if rng.one_in(3) => self.elect(now, network, rng)?,
            None => {}
        }
        let nodes = self.membership.nodes();
        if self.is_committed() {
            self.previous = None;
            // Those that are out of the group begin anew.
            for node in self.lost.iter().filter(|node| !nodes.contains(node)) {
                self.held.remove(node);
            }
            self.lost.retain(|node| nodes.contains(node));
        }
        Ok(())
    }

    /// Whether a majority has everything that is committed, and will be there, without `node`.
    pub(super) fn can_do_without(&self, node: NodeId, stays: impl Fn(NodeId) -> bool) -> bool {
        let has = |other: NodeId| {
            other != node
                && stays(other)
                && !self.lost.contains(&other)
                && self.held.get(&other).is_some_and(|held| *held >= self.committed)
        };
        self.memberships().all(|membership| membership.majority(has))
    }

    /// Whether a majority stays if `node` is given a vote beside the present ones in the moment in which it goes, or loses what it had: that
    /// vote cannot be taken back without a majority of those who have one. Of one voter that becomes two nothing but an operator helps then.
    pub(super) fn can_be_widened_by(&self, node: NodeId, stays: impl Fn(NodeId) -> bool) -> bool {
        let Some(voters) = self.membership.configs.last().filter(|_| self.membership.nodes().contains(&node)) else {
            return true;
        };
        let widened: BTreeSet<NodeId> = voters.iter().copied().chain([node]).collect();
        widened.iter().filter(|node| stays(**node)).count() * 2 > widened.len()
    }

    /// A member comes back with a part of what it had.
    pub(super) fn lose(&mut self, node: NodeId) {
        if let Some(held) = self.held.get_mut(&node) {
            *held /= 2;
            self.lost.insert(node);
        }
        if self.leader == Some(node) {
            self.lose_leader();
        }
    }

    /// Whether the leader, which `node` reaches, says that the node does not belong to the group, nor to any change of it.
    pub(super) fn lets_go(&self, node: NodeId, network: &Network) -> bool {
        let led = self.leader.is_some_and(|leader| network.linked(node, leader));
        led && self.is_committed() && self.membership.configs.len() == 1 && !self.membership.nodes().contains(&node)
    }

    fn lead(&mut self, leader: NodeId, now: u64, network: &Network, rng: &mut Rng) {
        if self.membership.majority(|node| network.linked(leader, node) && !self.lost.contains(&node)) {
            self.heard_at = now;
        }
        if !network.up.contains(&leader) || now - self.heard_at > LEASE {
            self.lose_leader();
            return;
        }
        self.log += rng.below(40);
        self.held.insert(leader, self.log);
        for node in self.membership.nodes() {
            if node != leader && network.linked(leader, node) && !self.lost.contains(&node) && !rng.one_in(8) {
                let held = self.held.entry(node).or_default();
                *held = (*held + COPIED).min(self.log);
            }
        }
        let mut marks: Vec<_> = self.held.values().copied().filter(|held| *held > self.committed).collect();
        marks.sort_unstable();
        for mark in marks {
            let has = |node| !self.lost.contains(&node) && self.held.get(&node).is_some_and(|held| *held >= mark);
            if self.membership.majority(has) {
                self.committed = mark;
            }
        }
        if !self.is_committed() {
            return;
        }
        if self.membership.configs.len() > 1 {
            if let Some((_, learners)) = self.driving.take_if(|(driver, _)| *driver == leader) {
                let last = self.membership.configs.last().cloned().unwrap_or_default();
                self.append(vec![last], learners);
            }
        } else if !self.membership.votes(leader) {
            self.lose_leader();
        }
    }

    fn lose_leader(&mut self) {
        self.leader = None;
        self.driving = None;
    }

    fn elect(&mut self, now: u64, network: &Network, rng: &mut Rng) -> Result<(), String> {
        let nodes: Vec<_> =
            self.held.keys().copied().filter(|node| network.up.contains(node) && !self.lost.contains(node)).collect();
        let Some(candidate) = rng.pick(&nodes) else { return Ok(()) };
        let held = self.held[&candidate];
        let knows_latest = held >= self.membership.index;
        let membership = if knows_latest { Some(&self.membership) } else { self.previous.as_ref() };
        let Some(membership) = membership else { return Ok(()) };
        let votes = |node| {
            network.linked(candidate, node)
                && !self.lost.contains(&node)
                && self.held.get(&node).copied().unwrap_or(0) <= held
        };
        if !membership.votes(candidate) || !membership.majority(votes) {
            return Ok(());
        }
        if held < self.committed {
            return Err(format!("{}: {candidate} leads without committed entries", self.group));
        }
        if !knows_latest && let Some(previous) = self.previous.take() {
            self.membership = previous;
        }
        self.log = held + 1;
        self.held.values_mut().for_each(|other| *other = held.min(*other));
        self.held.insert(candidate, self.log);
        (self.leader, self.heard_at, self.rested_at) = (Some(candidate), now, now);
        Ok(())
    }

    fn append(&mut self, configs: Vec<BTreeSet<NodeId>>, learners: BTreeSet<NodeId>) {
        self.log += 1;
        let next = Membership { configs, learners, index: self.log };
        self.previous = Some(std::mem::replace(&mut self.membership, next));
        for node in self.membership.nodes() {
            self.held.entry(node).or_default();
        }
        if let Some(leader) = self.leader {
            self.held.insert(leader, self.log);
        }
    }

    /// Carries out an action of `by`. Answers whether it was taken up; a leader may be wrong about being one.
    pub(super) fn carry_out(
        &mut self,
        by: NodeId,
        action: &Action,
        now: u64,
        network: &Network,
    ) -> Result<bool, String> {
        if self.leader != Some(by) {
            return Ok(false);
        }
        match action {
            Action::Propose(_) => Ok(false),
            Action::Transfer { to, .. } => {
                let has = self.held.get(to).is_some_and(|held| *held + COPIED >= self.log);
                let ready = has && !self.lost.contains(to);
                self.rested_at = now;
                if network.linked(by, *to)
                    && self.membership.configs.iter().all(|c| c.contains(to))
                    && ready
                    && self.is_committed()
                {
                    self.held.insert(*to, self.log);
                    (self.leader, self.heard_at) = (Some(*to), now);
                    self.driving = None;
                }
                Ok(true)
            }
            Action::AddLearner { node, .. } => {
                self.refuse_second_change()?;
                let mut learners = self.membership.learners.clone();
                learners.insert(*node);
                self.append(self.membership.configs.clone(), learners);
                Ok(true)
            }
            Action::SetMembers { voters, learners, .. } => {
                self.refuse_second_change()?;
                if let Some(stranger) = voters.union(learners).find(|node| !self.membership.nodes().contains(node)) {
                    return Err(format!("{}: {stranger} was never asked to follow", self.group));
                }
                if self.membership.configs.last() == Some(voters) {
                    self.append(vec![voters.clone()], learners.clone());
                } else {
                    let now = self.membership.configs.last().cloned().unwrap_or_default();
                    let following = self.membership.learners.difference(voters).copied().collect();
                    self.append(vec![now, voters.clone()], following);
                    self.driving = Some((by, learners.clone()));
                }
                Ok(true)
            }
        }
    }

    fn refuse_second_change(&self) -> Result<(), String> {
        if self.is_committed() && self.driving.is_none() {
            return Ok(());
        }
        Err(format!("{}: a second change of members while one is under way", self.group))
    }
}
