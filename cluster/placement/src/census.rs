//! Where each member stands: who can be given replicas, who keeps what it has, who has lost it.

use crate::Situation;
use octopussy_control::{ControlState, MemberRecord, ReplicaSet};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Reach;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// An active full member that answers.
    Alive,
    /// One that does not, but may come back: it keeps what it has and gets nothing new. For how long it has been down.
    Away(Duration),
    /// One that has been down for longer than the grace time.
    Dead,
    /// It is to hold nothing: drained, leaving, a guest, or no member.
    Unfit,
}

/// Everybody's standing, at one moment.
pub(crate) struct Census<'a> {
    pub(crate) control: &'a ControlState,
    standings: BTreeMap<NodeId, Standing>,
    reach: BTreeMap<NodeId, Reach>,
}

impl<'a> Census<'a> {
    pub(crate) fn take(situation: &Situation<'a>) -> Self {
        let control = situation.control;
        let reach: BTreeMap<_, _> = control
            .members
            .keys()
            .map(|node| (*node, if *node == situation.me { Reach::Alive } else { situation.reach.reach(*node) }))
            .collect();
        let standing = |member: &MemberRecord| {
            if !member.holds_replicas() {
                return Standing::Unfit;
            }
            match reach.get(&member.id).copied().unwrap_or(Reach::Unknown) {
                Reach::Alive => Standing::Alive,
                Reach::Suspect | Reach::Unknown => Standing::Away(Duration::ZERO),
                Reach::Down => match situation.reach.down_for(member.id).unwrap_or_default() {
                    down if down >= situation.limits.grace => Standing::Dead,
                    down => Standing::Away(down),
                },
            }
        };
        let standings = control.members.values().map(|member| (member.id, standing(member))).collect();
        Self { control, standings, reach }
    }

    /// How `node` stands.
    pub(crate) fn standing(&self, node: NodeId) -> Standing {
        self.standings.get(&node).copied().unwrap_or(Standing::Unfit)
    }

    /// Whether `node` is a member that answers, whatever else it is.
    pub(crate) fn answers(&self, node: NodeId) -> bool {
        self.reach.get(&node) == Some(&Reach::Alive)
    }

    /// Whether `node` is a member that is not known to be down.
    pub(crate) fn may_answer(&self, node: NodeId) -> bool {
        match self.reach.get(&node) {
            Some(Reach::Alive | Reach::Suspect | Reach::Unknown) => true,
            Some(Reach::Down) | None => false,
        }
    }

    /// Whether `node` is to hold replicas and votes, whether or not it answers.
    pub(crate) fn is_wanted(&self, node: NodeId) -> bool {
        self.control.members.get(&node).is_some_and(MemberRecord::holds_replicas)
    }

    /// Whether more than half of `voters` answer.
    pub(crate) fn majority_answers<'v>(&self, voters: impl IntoIterator<Item = &'v NodeId>) -> bool {
        majority(voters, |node| self.answers(node))
    }

    /// Whether so many of a shard's voters are dead that it can commit nothing any more.
    pub(crate) fn is_lost(&self, place: &ReplicaSet) -> bool {
        !majority(&place.voters, |node| match self.standing(node) {
            Standing::Dead => false,
            Standing::Alive | Standing::Away(_) => true,
            Standing::Unfit => self.may_answer(node),
        })
    }
}

/// Whether `holds` is true for more than half of `voters`.
pub(crate) fn majority<'v>(voters: impl IntoIterator<Item = &'v NodeId>, holds: impl Fn(NodeId) -> bool) -> bool {
    let (mut all, mut good) = (0_usize, 0_usize);
    for voter in voters {
        all += 1;
        good += usize::from(holds(*voter));
    }
    good * 2 > all
}
