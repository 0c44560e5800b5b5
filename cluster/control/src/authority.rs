//! Who may ask what on the mesh: one table.
//!
//! A certificate proves that a node holds a key. What the key's holder may do follows from what it is in the committed members
//! of the cluster, and from nothing else: not from its certificate, and not from what it says of itself.

use crate::{ControlCommand, ControlState};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{MemberDesired, MemberRole, RequestKind};
use serde::{Deserialize, Serialize};

/// What a node is to the one that it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Who {
    /// It has a certificate, and nobody has let it in.
    Stranger,
    /// A member that lends what it has and holds nothing of the cluster's.
    Guest,
    /// Members say that it belongs to the cluster, and the copy of the control state here does not show it yet: it was let in a
    /// moment ago, or this node has been away for long. It may bring that copy up to date, and nothing else.
    Joining,
    /// A full member.
    Member,
    /// A full member that is to go: it hands over what it has, and decides nothing any more.
    Leaving,
    /// It was removed.
    Removed,
}

impl Who {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Stranger, Self::Guest, Self::Joining, Self::Member, Self::Leaving, Self::Removed];

    /// Whether it may be connected at all. Whoever may not can only ask to join, which is another protocol.
    #[must_use]
    pub const fn may_connect(self) -> bool {
        match self {
            Self::Guest | Self::Joining | Self::Member | Self::Leaving => true,
            Self::Stranger | Self::Removed => false,
        }
    }

    /// Whether it may ask this: the table.
    ///
    /// What stands here is necessary, not sufficient. Raft's messages also have to come from a node of the group
    /// ([`ControlState::may_be_of`]), and some commands may only be about the one that asks ([`ControlState::may_propose`]).
    #[must_use]
    pub const fn may(self, kind: RequestKind) -> bool {
        match kind {
            // Who answers, what it is, and what time it is.
            RequestKind::Clock
            | RequestKind::MembershipCompare
            | RequestKind::MembershipTell
            | RequestKind::MembershipDoubt
            | RequestKind::Swim
            | RequestKind::Facts => self.may_connect(),
            // Consensus is among full members. One that is joining as seen from here may be the leader that brings this node up
            // to date.
            RequestKind::Heartbeats
            | RequestKind::Vote
            | RequestKind::PreVote
            | RequestKind::Transfer
            | RequestKind::Introduce
            | RequestKind::Renew
            | RequestKind::Append
            | RequestKind::Snapshot => match self {
                Self::Joining | Self::Member | Self::Leaving => true,
                Self::Stranger | Self::Guest | Self::Removed => false,
            },
            // The work of the cluster. A member that is to go finishes what it has begun.
            RequestKind::LedgerRead
            | RequestKind::TaskCommand
            | RequestKind::AgentCommand
            | RequestKind::LeaderWord
            | RequestKind::Digests
            | RequestKind::Settle
            | RequestKind::BlobQuestion
            | RequestKind::BlobPut
            | RequestKind::BlobGet
            | RequestKind::AgentControl
            | RequestKind::AgentLive
            | RequestKind::Events
            | RequestKind::ModelOffers
            | RequestKind::ModelCall => match self {
                Self::Member | Self::Leaving => true,
                Self::Stranger | Self::Guest | Self::Joining | Self::Removed => false,
            },
            // About itself, everybody who belongs to the cluster; who is asked looks at the rest.
            RequestKind::Standing | RequestKind::Report | RequestKind::MemberCommand => match self {
                Self::Guest | Self::Member | Self::Leaving => true,
                // It may have to ask before it can be told what it is.
                Self::Joining => matches!(kind, RequestKind::Standing),
                Self::Stranger | Self::Removed => false,
            },
            // What changes the cluster.
            RequestKind::Admission
            | RequestKind::TokenCommand
            | RequestKind::SecretCommand
            | RequestKind::KeyCommand
            | RequestKind::Recovery => match self {
                Self::Member => true,
                Self::Stranger | Self::Guest | Self::Joining | Self::Leaving | Self::Removed => false,
            },
            // What only a leader decides it proposes to itself.
            RequestKind::LeaderCommand | RequestKind::ControlLeaderCommand => false,
        }
    }
}

impl ControlCommand {
    /// The kind of request that it is when another node asks for it.
    #[must_use]
    pub const fn request_kind(&self) -> RequestKind {
        match self {
            Self::Report { .. } | Self::Start { .. } => RequestKind::Report,
            Self::Settle { .. } => RequestKind::Settle,
            Self::SetDesired { .. } | Self::Stolen { .. } => RequestKind::MemberCommand,
            Self::OfferKey { .. } | Self::KnowKey { .. } | Self::ActivateKey { .. } | Self::EndKeyOverlap { .. } => {
                RequestKind::KeyCommand
            }
            Self::Join { .. } => RequestKind::Admission,
            Self::AddToken { .. }
            | Self::RevokeToken { .. }
            | Self::AddApiToken { .. }
            | Self::RevokeApiToken { .. } => RequestKind::TokenCommand,
            Self::PutSecret { .. } | Self::RemoveSecret { .. } => RequestKind::SecretCommand,
            Self::Recover { .. } => RequestKind::Recovery,
            Self::Found { .. } | Self::Remove { .. } | Self::Plan { .. } | Self::Tick { .. } => {
                RequestKind::ControlLeaderCommand
            }
        }
    }
}

impl ControlState {
    /// What a node is, as this copy of the committed members has it.
    #[must_use]
    pub fn who(&self, node: NodeId) -> Who {
        match self.members.get(&node) {
            Some(member) => match (member.role, member.desired) {
                (MemberRole::Guest, _) => Who::Guest,
                (MemberRole::Full, MemberDesired::Leaving) => Who::Leaving,
                (MemberRole::Full, MemberDesired::Active | MemberDesired::Draining) => Who::Member,
            },
            None if self.departed.contains_key(&node) => Who::Removed,
            None => Who::Stranger,
        }
    }

    /// Whether `from` may ask for this command: beside what the table says, whom the command is about.
    #[must_use]
    pub fn may_propose(&self, from: NodeId, command: &ControlCommand) -> bool {
        let who = self.who(from);
        who.may(command.request_kind())
            && match command {
                // A node speaks for itself.
                ControlCommand::Report { node, .. }
                | ControlCommand::Start { node, .. }
                | ControlCommand::KnowKey { node, .. }
                | ControlCommand::Recover { node, .. } => *node == from,
                // A token ends with its maker's membership.
                ControlCommand::AddToken { token, .. } => token.made_by.node == from,
                ControlCommand::AddApiToken { token, .. } => token.made_by.node == from,
                ControlCommand::RevokeApiToken { by, .. } => by.node == from,
                ControlCommand::Stolen { .. } => who == Who::Member,
                // Whoever is no member in good standing may step back, and is called back by others.
                ControlCommand::SetDesired { node, desired, .. } => {
                    who == Who::Member || (*node == from && *desired != MemberDesired::Active)
                }
                // Whoever leads a shard is one of its nodes.
                ControlCommand::Settle { shard, .. } => self.place(*shard).is_some_and(|place| place.names(from)),
                ControlCommand::Found { .. }
                | ControlCommand::RevokeToken { .. }
                | ControlCommand::Join { .. }
                | ControlCommand::Remove { .. }
                | ControlCommand::Plan { .. }
                | ControlCommand::PutSecret { .. }
                | ControlCommand::RemoveSecret { .. }
                | ControlCommand::OfferKey { .. }
                | ControlCommand::ActivateKey { .. }
                | ControlCommand::EndKeyOverlap { .. }
                | ControlCommand::Tick { .. } => true,
            }
    }

    /// Whether the committed table lets a node be one of a group's; `shard` is none for the control group, of which every full
    /// member may be.
    #[must_use]
    pub fn may_be_of(&self, shard: Option<ShardId>, node: NodeId) -> bool {
        match self.who(node) {
            Who::Member | Who::Leaving => {
                shard.is_none_or(|shard| self.place(shard).is_some_and(|place| place.names(node)))
            }
            Who::Stranger | Who::Guest | Who::Joining | Who::Removed => false,
        }
    }
}
