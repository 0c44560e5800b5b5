//! Who asks for a command: a node by itself, or somebody whom it has authenticated. And what has come of it: the last changes of the
//! members, with whoever asked for each.

use crate::limits::MAX_HISTORY;
use crate::{ControlCommand, ControlState};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Action, Asker, MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Who asked, and at which node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedBy {
    /// The member where it was asked for.
    pub node: NodeId,
    /// Who asked there.
    pub asker: Asker,
}

impl AskedBy {
    /// What stands in a command until the group's leader takes it, who knows where it comes from.
    pub const UNTOLD: Self = Self { node: NodeId([0; 16]), asker: Asker::Node };
}

/// What became of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberEvent {
    /// It joined, or founded the cluster.
    Joined(MemberRole),
    /// Something else was wanted of it.
    Desired(MemberDesired),
    /// It was said to be in somebody else's hands.
    Stolen,
    /// It is gone for good.
    Removed,
    /// It alone went on with what the lost members had.
    Recovered,
}

/// A change of the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberChange {
    /// When.
    pub at: Timestamp,
    /// Which member.
    pub node: NodeId,
    /// Its name then.
    pub name: String,
    /// What became of it.
    pub event: MemberEvent,
    /// Who asked for it. Of whoever joined: who made its token; of whoever is gone: who sent it away. `None` when that was too long ago.
    pub by: Option<AskedBy>,
}

/// Who may ask for a command.
enum May {
    /// A node by itself: it reports, keeps in step, or carries out what somebody was granted before.
    Node,
    /// Somebody who may do this.
    People(Action),
    /// Either.
    Both(Action),
}

impl ControlCommand {
    const fn may(&self) -> May {
        match self {
            Self::Found { .. }
            | Self::Join { .. }
            | Self::Report { .. }
            | Self::Start { .. }
            | Self::Settle { .. }
            | Self::Plan { .. }
            | Self::Remove { .. }
            | Self::Tick { .. }
            | Self::PutSecret { .. }
            | Self::RemoveSecret { .. }
            | Self::KnowKey { .. }
            | Self::ActivateKey { .. } => May::Node,
            Self::AddToken { .. }
            | Self::RevokeToken { .. }
            | Self::SetDesired { .. }
            | Self::Stolen { .. }
            | Self::Recover { .. }
            | Self::EndKeyOverlap { .. } => May::People(Action::ManageCluster),
            // The first of its kind, and those that a theft makes necessary, nodes offer by themselves.
            Self::OfferKey { .. } => May::Both(Action::ManageCluster),
            Self::AddApiToken { token, .. } => {
                if token.own {
                    May::Node
                } else {
                    May::People(Action::ManageTokens)
                }
            }
            Self::RevokeApiToken { .. } => May::People(Action::ManageTokens),
        }
    }

    /// Whether whoever asks may have this done, wherever it is asked for.
    #[must_use]
    pub fn may_be_asked_by(&self, asker: &Asker) -> bool {
        match (self.may(), asker) {
            (May::Node | May::Both(_), Asker::Node) => true,
            (May::People(_), Asker::Node) | (May::Node, Asker::Principal { .. }) => false,
            (May::People(action) | May::Both(action), Asker::Principal { role, .. }) => *role >= action.requires(),
        }
    }

    /// Notes who asked for it. The group's leader does that, who knows which node has brought it.
    pub fn set_asked_by(&mut self, asked_by: AskedBy) {
        match self {
            Self::SetDesired { by, .. } | Self::Stolen { by, .. } | Self::Recover { by, .. } => *by = asked_by,
            Self::Found { .. }
            | Self::AddToken { .. }
            | Self::RevokeToken { .. }
            | Self::Join { .. }
            | Self::Report { .. }
            | Self::Remove { .. }
            | Self::Plan { .. }
            | Self::Settle { .. }
            | Self::PutSecret { .. }
            | Self::RemoveSecret { .. }
            | Self::Tick { .. }
            | Self::Start { .. }
            | Self::OfferKey { .. }
            | Self::KnowKey { .. }
            | Self::ActivateKey { .. }
            | Self::EndKeyOverlap { .. }
            | Self::AddApiToken { .. }
            | Self::RevokeApiToken { .. } => {}
        }
    }
}

impl ControlState {
    /// Writes down what became of a member. The oldest of too many goes.
    pub(crate) fn note_change(&mut self, node: NodeId, name: String, event: MemberEvent, by: Option<AskedBy>) {
        if self.history.len() >= MAX_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(MemberChange { at: self.now, node, name, event, by });
    }

    /// Who sent a member away, as far as that is remembered.
    pub(crate) fn sent_away_by(&self, node: NodeId) -> Option<AskedBy> {
        let away = |event| matches!(event, MemberEvent::Stolen | MemberEvent::Desired(MemberDesired::Leaving));
        self.history.iter().rev().find(|change| change.node == node && away(change.event))?.by.clone()
    }
}
