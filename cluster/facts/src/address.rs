//! Chitchat knows nodes by socket address, the mesh by id. An id has the length of an IPv6 address, so it is one; no packet
//! is ever sent there.

use octopussy_core::ids::NodeId;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Only to be something; every node has the same.
const PORT: u16 = 1;

/// The address that stands for `node`.
pub(crate) fn of_node(node: NodeId) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::from(node.0), PORT))
}

/// The node that `address` stands for.
pub(crate) fn node_of(address: SocketAddr) -> Option<NodeId> {
    match address.ip() {
        IpAddr::V6(ip) => Some(NodeId(ip.octets())),
        IpAddr::V4(_) => None,
    }
}
