use crate::swim::Swim;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Incarnation;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A node was declared down somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// When.
    pub at: Duration,
    /// By which node it was first seen so, or heard of.
    pub by: usize,
    /// Which node.
    pub of: usize,
    /// Whether that life of it ran at that moment.
    pub alive: bool,
}

/// A simulated node.
#[derive(Debug)]
pub(super) struct SimNode {
    pub(super) boot: u64,
    /// `None` while it does not run.
    pub(super) swim: Option<Swim>,
    /// Whom it dials until connected.
    pub(super) wanted: BTreeSet<usize>,
    pub(super) sent_bytes: u64,
    pub(super) renewals: u64,
}

impl SimNode {
    pub(super) const fn new() -> Self {
        Self { boot: 0, swim: None, wanted: BTreeSet::new(), sent_bytes: 0, renewals: 0 }
    }

    pub(super) const fn runs(&self, boot: u64) -> bool {
        self.swim.is_some() && self.boot == boot
    }
}

/// The id of the node at that place. Neighbours in place are not neighbours in id.
pub(super) fn node_id(index: usize) -> NodeId {
    let number = u64::try_from(index).unwrap_or(u64::MAX);
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    NodeId(bytes)
}

/// The place of the node with that id.
pub(super) fn index_of(node: NodeId) -> usize {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&node.0[8..]);
    usize::try_from(u64::from_be_bytes(bytes)).unwrap_or(usize::MAX)
}

pub(super) fn incarnation(index: usize, boot: u64) -> Incarnation {
    Incarnation { node: node_id(index), boot }
}

pub(super) fn address(index: usize) -> SocketAddr {
    let [.., high, low] = u64::try_from(index).unwrap_or(0).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, 0, high, low), 47_210))
}
