//! What a node sees, and what it is to do about it.

use crate::Limits;
use octopussy_control::{ControlCommand, ControlState, MembershipStamp};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::ReachabilityPort;
use octopussy_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// A replicated group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Group 0.
    Control,
    /// A shard's.
    Shard(ShardId),
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("control"),
            Self::Shard(shard) => write!(f, "shard {shard}"),
        }
    }
}

/// The latest membership in a group's log, committed or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MembershipView {
    /// Voter sets: one, or two while a change is half done (a joint configuration, the newer one last).
    pub configs: Vec<BTreeSet<NodeId>>,
    /// Everybody who follows without a vote.
    pub learners: BTreeSet<NodeId>,
    /// The entry of the group's log that holds it.
    pub at: MembershipStamp,
    /// Whether it is committed. While it is not, nothing is done to the group.
    pub committed: bool,
}

/// A group as this node sees it. Groups that this node does not lead may be left out: nothing is done for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// Which.
    pub group: Group,
    /// Who leads it, as far as this node knows.
    pub leader: Option<NodeId>,
    /// Its membership.
    pub membership: MembershipView,
    /// The index of the last entry in this node's log of the group.
    pub last_index: u64,
    /// Up to where each follower's log is known to agree with the leader's. Complete only when this node leads.
    pub matched: BTreeMap<NodeId, u64>,
    /// Members whose replica has lost what it had, or is another than the membership means. They count for nothing until they are
    /// let in again as new ones. Complete only when this node leads.
    pub lost: BTreeSet<NodeId>,
    /// How long ago this node gained the leadership or last asked somebody to take it, whichever is later; `None` when it
    /// does not lead.
    pub rested: Option<Duration>,
    /// Whether an earlier action for this group is still being carried out. Nothing more is decided for the group then;
    /// whoever sets it must clear it after a deadline, whatever came of the action.
    pub busy: bool,
}

/// What a node sees.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// This node's copy of the control state. It may lag behind.
    pub control: &'a ControlState,
    /// This node.
    pub me: NodeId,
    /// The groups that have a replica here.
    pub groups: &'a [GroupView],
    /// Who answers.
    pub reach: &'a dyn ReachabilityPort,
    /// The bounds.
    pub limits: Limits,
    /// The present moment.
    pub now: Timestamp,
}

impl fmt::Debug for Situation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Situation")
            .field("me", &self.me)
            .field("version", &self.control.version)
            .field("groups", &self.groups)
            .field("limits", &self.limits)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Something to do. There is at most one action that touches a group's membership or leadership per group and decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Propose this to the control group. Comes from the control group's leader (`Plan`, `Remove`, `Tick`) or from the
    /// leader of the shard that a `Settle` names. A refusal is no failure: the table has changed meanwhile.
    Propose(ControlCommand),
    /// Let the node follow the group without a vote. Need not wait until it has caught up.
    AddLearner {
        /// Which group.
        group: Group,
        /// Who.
        node: NodeId,
    },
    /// Bring the group to exactly these members, through a joint configuration where voters change. Everybody named is a
    /// member of the group already. Also given when a joint configuration was found and is to be finished. A voter that is
    /// not named is dropped, or stays a learner when it is named there.
    SetMembers {
        /// Which group.
        group: Group,
        /// Who votes.
        voters: BTreeSet<NodeId>,
        /// Who follows.
        learners: BTreeSet<NodeId>,
    },
    /// Hand the leadership over, after the shard's actors have come to a step boundary.
    Transfer {
        /// Which group.
        group: Group,
        /// To whom.
        to: NodeId,
    },
}

impl Action {
    /// Which group the action keeps busy: the control group for its leader's proposals, the shard for a `Settle`.
    #[must_use]
    pub const fn group(&self) -> Group {
        match self {
            Self::Propose(ControlCommand::Settle { shard, .. }) => Group::Shard(*shard),
            Self::Propose(_) => Group::Control,
            Self::AddLearner { group, .. } | Self::SetMembers { group, .. } | Self::Transfer { group, .. } => *group,
        }
    }
}
