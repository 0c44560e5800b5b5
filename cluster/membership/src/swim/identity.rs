use octopussy_core::ids::NodeId;
use octopussy_core::ports::Incarnation;
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;

/// A node as the protocol names it. Of two identities of one node the one with the higher `(boot, renewal)` wins, so that a
/// restarted node supersedes its older life the moment it is heard of.
///
/// The node comes first in the encoding: the receiver of a datagram compares it with the sender that the mesh vouches for,
/// before anything else is decoded.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Identity {
    /// Which node.
    pub node: NodeId,
    /// Its boot epoch.
    pub boot: u64,
    /// How often it has taken a new identity within this life: after it was declared down, or when its address changed.
    pub renewal: u32,
    /// Where it listens, where it knows; what it is for others to dial. Not part of what makes identities equal.
    pub address: Option<SocketAddr>,
}

impl Identity {
    /// The first identity of a life.
    #[must_use]
    pub const fn new(incarnation: Incarnation, address: Option<SocketAddr>) -> Self {
        Self { node: incarnation.node, boot: incarnation.boot, renewal: 0, address }
    }

    /// Which life of which node this is.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        Incarnation { node: self.node, boot: self.boot }
    }

    /// The next identity of this life; `None` once the numbers are used up.
    #[must_use]
    pub fn renewed(&self) -> Option<Self> {
        self.renewal.checked_add(1).map(|renewal| Self { renewal, ..*self })
    }

    const fn rank(&self) -> (NodeId, u64, u32) {
        (self.node, self.boot, self.renewal)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
    }
}

impl foca::Identity for Identity {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        self.renewed()
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.boot, self.renewal) > (adversary.boot, adversary.renewal)
    }
}
