//! One group that this node leads, on its way to the members it is to have: one small safe step at a time.

use crate::census::{Census, majority};
use crate::{Action, GroupView, Limits};
use octopussy_core::ids::NodeId;
use std::collections::BTreeSet;

/// The members a group is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goal {
    /// Who votes, the preferred leader first where there is one.
    pub(crate) voters: Vec<NodeId>,
    /// Who follows.
    pub(crate) learners: BTreeSet<NodeId>,
}

impl Goal {
    fn voter_set(&self) -> BTreeSet<NodeId> {
        self.voters.iter().copied().collect()
    }
}

/// A group that this node leads and that nothing else is being done to.
pub(crate) struct Led<'a> {
    pub(crate) view: &'a GroupView,
    pub(crate) census: &'a Census<'a>,
    pub(crate) me: NodeId,
    pub(crate) limits: &'a Limits,
    /// Who votes now: the only voter set, or the newer of two.
    pub(crate) voters: &'a BTreeSet<NodeId>,
}

impl<'a> Led<'a> {
    /// `None` when the group is not for this node to act on now: somebody else leads, a change is under way.
    pub(crate) fn of(view: &'a GroupView, census: &'a Census<'a>, me: NodeId, limits: &'a Limits) -> Option<Self> {
        let voters = view.membership.configs.last()?;
        let idle = view.leader == Some(me) && view.membership.committed && !view.busy;
        idle.then_some(Self { view, census, me, limits, voters })
    }

    /// Whether the group has exactly the members of `goal`, and all of them settled.
    pub(crate) fn has_reached(&self, goal: &Goal) -> bool {
        self.view.membership.configs.len() == 1
            && *self.voters == goal.voter_set()
            && self.view.membership.learners == goal.learners
    }

    /// Finishes a joint configuration that was left behind, in the direction it was going; `None` when there is none, or
    /// when nobody could commit its end now.
    pub(crate) fn finish(&self, goal: &Goal) -> Option<Action> {
        let (new, old) = self.view.membership.configs.split_last()?;
        if !self.can_commit(self.view.membership.configs.iter()) {
            return None;
        }
        let demoted = old.iter().flatten().filter(|node| goal.learners.contains(node));
        let learners = self.view.membership.learners.iter().chain(demoted).copied().filter(|node| !new.contains(node));
        Some(self.set(new.clone(), learners.collect()))
    }

    /// Takes those out of the group whose replica has lost what it had, so that they can be let in again as new ones; `None` when
    /// there are none, or when that could not be committed now, or too few of the others have everything.
    pub(crate) fn expel(&self) -> Option<Action> {
        let membership = &self.view.membership;
        let has = |node: &NodeId| !self.view.lost.contains(node);
        let voters: BTreeSet<_> = self.voters.iter().copied().filter(has).collect();
        let learners: BTreeSet<_> = membership.learners.iter().copied().filter(has).collect();
        let same = voters.len() == self.voters.len();
        let changed = !same || learners.len() < membership.learners.len();
        let enough = same || majority(&voters, |node| self.is_caught_up(node));
        (changed && enough && self.can_commit([self.voters, &voters])).then(|| self.set(voters, learners))
    }

    /// The next step towards `goal`, if one can be taken now. A node is asked to follow once `reachable` says so.
    pub(crate) fn converge(&self, goal: &Goal, reachable: impl Fn(NodeId) -> bool) -> Option<Action> {
        let missing = |node: &NodeId| !self.is_member(*node);
        let next = goal.voters.iter().chain(&goal.learners).copied().find(|node| missing(node) && reachable(*node));
        if let Some(node) = next {
            return Some(Action::AddLearner { group: self.view.group, node });
        }
        let voters = goal.voter_set();
        let learners: BTreeSet<_> = goal.learners.iter().copied().filter(|node| !missing(node)).collect();
        if *self.voters == voters {
            return (self.view.membership.learners != learners).then(|| self.set(voters, learners));
        }
        if !voters.difference(self.voters).all(|node| self.is_caught_up(*node)) {
            return None;
        }
        if !voters.contains(&self.me) {
            // A leader without a vote would have to step down and leave the group to an election: it hands over first.
            return self.hand_over(goal, &voters);
        }
        self.change(voters, learners)
    }

    /// Gives the leadership to a voter of the goal; where none of them has a vote yet, they get one beside the present ones.
    fn hand_over(&self, goal: &Goal, voters: &BTreeSet<NodeId>) -> Option<Action> {
        if let Some(to) = goal.voters.iter().copied().find(|node| self.may_lead(*node)) {
            return self.transfer(to, self.limits.drain_pause);
        }
        let widened: BTreeSet<_> = self.voters.union(voters).copied().collect();
        if widened == *self.voters {
            return None;
        }
        let learners = self.view.membership.learners.difference(&widened).copied().collect();
        self.change(widened, learners)
    }

    /// Changes the voters if the present ones can commit it and enough of the new ones have everything.
    fn change(&self, voters: BTreeSet<NodeId>, learners: BTreeSet<NodeId>) -> Option<Action> {
        let enough = majority(&voters, |node| self.is_caught_up(node));
        (enough && self.can_commit([self.voters])).then(|| self.set(voters, learners))
    }

    /// Gives the leadership away if it has rested for `pause`.
    pub(crate) fn transfer(&self, to: NodeId, pause: std::time::Duration) -> Option<Action> {
        let rested = self.view.rested.is_some_and(|rested| rested >= pause);
        rested.then_some(Action::Transfer { group: self.view.group, to })
    }

    /// Whether `node` could take the leadership over at once.
    pub(crate) fn may_lead(&self, node: NodeId) -> bool {
        node != self.me && self.voters.contains(&node) && self.census.is_wanted(node) && self.is_caught_up(node)
    }

    /// Whether `node` answers and has all but the latest entries.
    fn is_caught_up(&self, node: NodeId) -> bool {
        if node == self.me {
            return true;
        }
        let matched = self.view.matched.get(&node).copied();
        self.census.answers(node)
            && !self.view.lost.contains(&node)
            && matched.is_some_and(|matched| self.view.last_index.saturating_sub(matched) <= self.limits.caught_up)
    }

    fn is_member(&self, node: NodeId) -> bool {
        let membership = &self.view.membership;
        membership.learners.contains(&node) || membership.configs.iter().any(|voters| voters.contains(&node))
    }

    fn can_commit<'v>(&self, configs: impl IntoIterator<Item = &'v BTreeSet<NodeId>>) -> bool {
        configs.into_iter().all(|voters| majority(voters, |node| self.counts(node)))
    }

    fn counts(&self, node: NodeId) -> bool {
        node == self.me || (self.census.answers(node) && !self.view.lost.contains(&node))
    }

    fn set(&self, voters: BTreeSet<NodeId>, learners: BTreeSet<NodeId>) -> Action {
        Action::SetMembers { group: self.view.group, voters, learners }
    }
}
