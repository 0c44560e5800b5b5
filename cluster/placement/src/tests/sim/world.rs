//! The whole simulated cluster, one step of time at a time.

use super::group::SimGroup;
use super::invariants;
use super::network::Network;
use super::rng::Rng;
use crate::tests::support::founded;
use crate::{Action, Group, Limits, Situation, decide};
use octopussy_control::{ControlCommand, ControlRefusal, ControlState, MemberRecord};
use octopussy_core::ids::NodeId;
use octopussy_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(super) const STEP: u64 = 100;
/// How long an action keeps its group busy at most.
const ACTION_DEADLINE: u64 = 3_000;

/// A fault that is planted to see whether the invariants find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    /// Followers count as caught up as soon as they are asked to follow.
    NoCatchUp,
    /// Whoever is down has been so for ever.
    NoGrace,
    /// A change of members under way is not seen.
    BlindToChanges,
    /// Plans are made as if nothing were under way.
    NoLimit,
    /// Nodes delete what they are not named for as a present or a coming holder, without asking anybody.
    FormerIgnored,
}

struct Pending {
    by: NodeId,
    action: Action,
    due: u64,
    started: bool,
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) network: Network,
    pub(super) truth: Arc<ControlState>,
    /// Each node's copy of the control state.
    pub(super) copies: BTreeMap<NodeId, Arc<ControlState>>,
    pub(super) groups: BTreeMap<Group, SimGroup>,
    pending: Vec<Pending>,
    pub(super) limits: Limits,
    pub(super) planted: Planted,
    /// Nodes that will not come back.
    pub(super) gone: BTreeSet<NodeId>,
    pub(super) decided: u64,
    traced: bool,
}

impl World {
    pub(super) fn new(seed: u64, shards: u16, founder: MemberRecord, planted: Planted) -> Self {
        let id = founder.id;
        let truth = Arc::new(founded(shards, founder));
        let groups = std::iter::once(Group::Control).chain(truth.shards().map(|(shard, _)| Group::Shard(shard)));
        let limits = Limits {
            max_moves: 4,
            grace: Duration::from_secs(20),
            patience: Duration::from_secs(5),
            caught_up: 256,
            transfer_pause: Duration::from_secs(3),
            drain_pause: Duration::from_millis(500),
            control_voters: 5,
        };
        Self {
            now: 0,
            rng: Rng(seed),
            network: Network::with(id),
            copies: BTreeMap::from([(id, Arc::clone(&truth))]),
            groups: groups.map(|group| (group, SimGroup::new(group, id))).collect(),
            truth,
            pending: Vec::new(),
            limits,
            planted,
            gone: BTreeSet::new(),
            decided: 0,
            traced: std::env::var_os("OCTOPUSSY_SIM_TRACE").is_some(),
        }
    }

    /// Applies a command to the control state, when somebody leads the control group whom `by` reaches.
    pub(super) fn propose(&mut self, by: Option<NodeId>, command: ControlCommand) -> Result<(), String> {
        let Some(leader) = self.groups[&Group::Control].leader else { return Ok(()) };
        if !self.network.up.contains(&leader) || by.is_some_and(|by| !self.network.linked(by, leader)) {
            return Ok(());
        }
        let mut next = ControlState::clone(&self.truth);
        match next.apply(command.clone()) {
            Ok(_) => {}
            Err(ControlRefusal::UnknownToken | ControlRefusal::TokenUsed | ControlRefusal::TokenExpired) => {
                return Err("the test's token is refused".to_owned());
            }
            Err(_) => return Ok(()),
        }
        next.check().map_err(|fault| fault.to_string())?;
        self.trace(|| format!("applied {command:?}"));
        self.truth = Arc::new(next);
        invariants::on_applied(self, &command)
    }

    /// Tells what happens, when `OCTOPUSSY_SIM_TRACE` is set.
    fn trace(&self, what: impl FnOnce() -> String) {
        if self.traced {
            eprintln!("{} {}", self.now, what());
        }
    }

    pub(super) fn step(&mut self) -> Result<(), String> {
        self.now += STEP;
        let everybody: Vec<_> = self.copies.keys().copied().collect();
        self.network.observe(&everybody, self.now);
        for group in self.groups.values_mut() {
            group.step(self.now, &self.network, &mut self.rng)?;
        }
        self.spread_copies(&everybody);
        self.carry_out()?;
        let up: Vec<_> = self.network.up.iter().copied().collect();
        for node in up {
            if self.rng.one_in(3) {
                self.decide(node)?;
            }
            if self.rng.one_in(3) {
                self.part(node)?;
            }
        }
        invariants::every_step(self)
    }

    fn spread_copies(&mut self, everybody: &[NodeId]) {
        let control = &self.groups[&Group::Control];
        let Some(leader) = control.leader else { return };
        let members = control.membership.nodes();
        for node in everybody {
            if members.contains(node) && self.network.linked(leader, *node) && !self.rng.one_in(4) {
                self.copies.insert(*node, Arc::clone(&self.truth));
            }
        }
    }

    /// What `node` would do now.
    pub(super) fn actions(&self, node: NodeId) -> Vec<Action> {
        let blind = self.planted == Planted::BlindToChanges;
        let mut views = Vec::new();
        for (group, state) in self.groups.iter().filter(|(_, state)| state.leader == Some(node)) {
            let busy = self.pending.iter().any(|pending| pending.by == node && pending.action.group() == *group);
            let mut view = state.view(node, self.now, busy && !blind);
            view.membership.committed |= blind;
            if self.planted == Planted::NoCatchUp {
                view.matched.values_mut().for_each(|matched| *matched = view.last_index);
            }
            views.push(view);
        }
        let mut reach = self.network.view(node, self.now);
        reach.impatient = self.planted == Planted::NoGrace;
        let mut limits = self.limits;
        if self.planted == Planted::NoLimit {
            limits.max_moves = usize::MAX;
        }
        decide(&Situation {
            control: &self.copies[&node],
            me: node,
            groups: &views,
            reach: &reach,
            limits,
            now: Timestamp::from_millis(self.now),
        })
    }

    fn decide(&mut self, node: NodeId) -> Result<(), String> {
        for action in self.actions(node) {
            self.decided += 1;
            self.trace(|| format!("{node} {action:?}"));
            invariants::on_decided(self, node, &action)?;
            // One in ten is lost: the node was about to do it, and did not.
            if !self.rng.one_in(10) {
                let due = self.now + STEP * self.rng.below(6);
                self.pending.push(Pending { by: node, action, due, started: false });
            }
        }
        Ok(())
    }

    /// What `node` deletes: replicas that it is not named for, once their leader lets them go.
    fn part(&mut self, node: NodeId) -> Result<(), String> {
        let copy = Arc::clone(&self.copies[&node]);
        for (shard, place) in copy.shards() {
            let Some(group) = self.groups.get_mut(&Group::Shard(shard)) else { continue };
            if !group.held.contains_key(&node) {
                continue;
            }
            let goes = match self.planted {
                Planted::FormerIgnored => {
                    !std::iter::once(&place.current).chain(&place.target).any(|set| set.names(node))
                }
                Planted::Nothing
                | Planted::NoCatchUp
                | Planted::NoGrace
                | Planted::BlindToChanges
                | Planted::NoLimit => !place.names(node) && group.lets_go(node, &self.network),
            };
            if goes {
                invariants::kept::check(group, node)?;
                group.held.remove(&node);
            }
        }
        Ok(())
    }

    /// A node comes back with less than it had, of every group that can do without it.
    pub(super) fn lose(&mut self, node: NodeId) {
        let gone = &self.gone;
        for group in self.groups.values_mut() {
            if group.memberships().any(|membership| membership.nodes().contains(&node))
                && group.can_do_without(node, |other| !gone.contains(&other))
                && group.can_be_widened_by(node, |other| other != node && !gone.contains(&other))
            {
                group.lose(node);
            }
        }
    }

    fn carry_out(&mut self) -> Result<(), String> {
        let mut later = Vec::new();
        for mut pending in std::mem::take(&mut self.pending) {
            if !self.network.up.contains(&pending.by) || self.now > pending.due + ACTION_DEADLINE {
                continue;
            }
            if pending.started {
                if self.groups[&pending.action.group()].is_changing(pending.by) {
                    later.push(pending);
                }
                continue;
            }
            if self.now < pending.due {
                later.push(pending);
                continue;
            }
            if let Action::Propose(command) = &pending.action {
                self.propose(Some(pending.by), command.clone())?;
                continue;
            }
            let group = self.groups.get_mut(&pending.action.group()).ok_or("no such group")?;
            pending.started = group.carry_out(pending.by, &pending.action, self.now, &self.network)?;
            if pending.started {
                later.push(pending);
            }
        }
        self.pending = later;
        Ok(())
    }

    pub(super) fn start(&mut self, node: NodeId) {
        self.network.up.insert(node);
        self.copies.entry(node).or_insert_with(|| Arc::new(ControlState::default()));
    }

    pub(super) fn crash(&mut self, node: NodeId) {
        self.network.up.remove(&node);
        self.pending.retain(|pending| pending.by != node);
    }

    /// Whether every group keeps a majority of reliable voters when `without` never comes back.
    pub(super) fn survives(&self, without: NodeId) -> bool {
        let stays = |node: NodeId| node != without && !self.gone.contains(&node);
        self.groups
            .values()
            .all(|group| group.can_do_without(without, stays) && group.can_be_widened_by(without, stays))
    }
}
