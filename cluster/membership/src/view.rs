use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, Reach};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::time::Instant;

/// What is known of another member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberReach {
    /// Its latest life.
    pub incarnation: Incarnation,
    /// Whether it answers.
    pub reach: Reach,
    /// Since when.
    pub since: Instant,
    /// Where it listens, where it told.
    pub address: Option<SocketAddr>,
}

/// What is known of all other members at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MembershipView {
    /// By node, without this one.
    pub members: BTreeMap<NodeId, MemberReach>,
}

impl MembershipView {
    /// Whether `node` answers; unknown for this node itself, which is not in the view.
    #[must_use]
    pub fn reach(&self, node: NodeId) -> Reach {
        self.members.get(&node).map_or(Reach::Unknown, |member| member.reach)
    }
}
