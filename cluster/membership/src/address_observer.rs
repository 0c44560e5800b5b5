use octopussy_core::ids::NodeId;
use std::net::SocketAddr;

/// Is told where members listen, so that whoever owns the connections can dial them. Must not block.
pub trait AddressObserver: Send + Sync {
    /// `node` says that it listens at `address`.
    fn learned(&self, node: NodeId, address: SocketAddr);
}
