//! The nodes a mesh knows: where they may be reached, which lives of them have been seen, and who has left.

use crate::limits::{MAX_ADDRESSES, MAX_FORGOTTEN, MAX_PEERS};
use crate::link::canonical;
use crate::refusal::Refusal;
use crate::tls::KnownKeys;
use octopussy_core::ids::NodeId;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What is known of one node.
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    /// Something changed: its addresses, or whether it is connected.
    pub(crate) changed: Notify,
    /// It has been forgotten, or the mesh is stopping.
    pub(crate) gone: CancellationToken,
}

#[derive(Default)]
struct Entry {
    peer: Option<Arc<Peer>>,
    learned: Vec<SocketAddr>,
    heard: Vec<SocketAddr>,
    boot: u64,
}

/// All of them. Pure but for the tokens of the peers.
#[derive(Default)]
pub(crate) struct Known {
    /// Those that were learned, and those that were forgotten, who are to be told so: TLS recognises them by their keys.
    pub(crate) keys: KnownKeys,
    entries: HashMap<NodeId, Entry>,
    forgotten: HashSet<NodeId>,
    forgotten_order: VecDeque<NodeId>,
}

impl Known {
    /// Sets where a node may be reached. Returns the peer when it has to be dialed from now on.
    pub(crate) fn learn(
        &mut self,
        node: NodeId,
        addresses: &[SocketAddr],
        gone: CancellationToken,
    ) -> Option<Arc<Peer>> {
        if self.entries.len() >= MAX_PEERS && !self.entries.contains_key(&node) {
            return None;
        }
        if self.forgotten.remove(&node) {
            self.forgotten_order.retain(|each| *each != node);
        }
        self.keys.write().insert(node);
        let entry = self.entries.entry(node).or_default();
        let addresses = usable(addresses);
        if entry.learned != addresses {
            entry.learned = addresses;
            if let Some(peer) = &entry.peer {
                peer.changed.notify_one();
            }
        }
        entry.start(node, gone)
    }

    /// Notes that a life of a node has connected from an address and says where it listens. Returns the peer when it has to
    /// be dialed from now on, should that connection break.
    ///
    /// # Errors
    /// The refusal of a node that has left, of an older life than one already seen, or of one too many.
    pub(crate) fn connected(
        &mut self,
        node: NodeId,
        boot: u64,
        addresses: &[SocketAddr],
        gone: CancellationToken,
    ) -> Result<Option<Arc<Peer>>, (Refusal, String)> {
        self.admits(node, boot)?;
        let entry = self.entries.entry(node).or_default();
        entry.boot = boot;
        entry.heard = usable(addresses);
        Ok(entry.start(node, gone))
    }

    /// Whether a life of a node may connect.
    pub(crate) fn admits(&self, node: NodeId, boot: u64) -> Result<(), (Refusal, String)> {
        if self.forgotten.contains(&node) {
            return Err((Refusal::Forgotten, "it has been removed from the cluster".to_owned()));
        }
        match self.entries.get(&node) {
            Some(entry) if entry.boot > boot => Err((
                Refusal::StaleIncarnation,
                format!(
                    "its boot epoch is {boot}, yet {} has been seen: is the same identity in use twice?",
                    entry.boot
                ),
            )),
            None if self.entries.len() >= MAX_PEERS => Err((Refusal::Busy, "too many nodes".to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    /// Removes a node and refuses it from now on.
    pub(crate) fn forget(&mut self, node: NodeId) {
        if let Some(entry) = self.entries.remove(&node)
            && let Some(peer) = entry.peer
        {
            peer.gone.cancel();
        }
        if self.forgotten.insert(node) {
            self.forgotten_order.push_back(node);
            self.keys.write().insert(node);
        }
        if self.forgotten_order.len() > MAX_FORGOTTEN
            && let Some(oldest) = self.forgotten_order.pop_front()
        {
            self.forgotten.remove(&oldest);
            self.keys.write().remove(&oldest);
        }
    }

    /// Where the node may be reached, the likeliest address first.
    pub(crate) fn addresses(&self, node: NodeId) -> Vec<SocketAddr> {
        let Some(entry) = self.entries.get(&node) else { return Vec::new() };
        let mut addresses = entry.learned.clone();
        addresses.extend(entry.heard.iter().filter(|heard| !entry.learned.contains(heard)));
        addresses.truncate(MAX_ADDRESSES);
        addresses
    }

    /// Whether a node that is known may be reached at this address.
    pub(crate) fn has_address(&self, ip: IpAddr) -> bool {
        let is_there = |address: &SocketAddr| address.ip() == ip;
        self.entries.values().any(|entry| entry.learned.iter().chain(&entry.heard).any(is_there))
    }

    /// Wakes whoever keeps up the connection with the node.
    pub(crate) fn wake(&self, node: NodeId) {
        if let Some(peer) = self.entries.get(&node).and_then(|entry| entry.peer.as_ref()) {
            peer.changed.notify_one();
        }
    }
}

impl Entry {
    fn start(&mut self, node: NodeId, gone: CancellationToken) -> Option<Arc<Peer>> {
        if self.peer.is_some() {
            return None;
        }
        let peer = Arc::new(Peer { node, changed: Notify::new(), gone });
        self.peer = Some(peer.clone());
        Some(peer)
    }
}

/// The addresses that can be dialed, each once.
fn usable(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for address in addresses.iter().map(|address| canonical(*address)) {
        let dialable = address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast();
        if dialable && !found.contains(&address) && found.len() < MAX_ADDRESSES {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId([1; 16]);

    fn token() -> CancellationToken {
        CancellationToken::new()
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn learned_addresses_come_before_those_heard_and_useless_ones_are_left_out() {
        let mut known = Known::default();
        let (one, two) = (address("192.0.2.1:1"), address("192.0.2.2:2"));
        assert!(known.learn(A, &[one, one, address("0.0.0.0:5"), address("192.0.2.9:0")], token()).is_some());
        assert!(known.connected(A, 1, &[two, one], token()).unwrap().is_none(), "it is dialed already");
        assert_eq!(known.addresses(A), [one, two]);
        let mapped = address("[::ffff:192.0.2.3]:3");
        assert!(known.learn(A, &[mapped], token()).is_none());
        assert_eq!(known.addresses(A), [address("192.0.2.3:3"), two, one]);
        assert!(known.has_address(two.ip()) && known.has_address(mapped.ip().to_canonical()));
        assert!(!known.has_address("192.0.2.9".parse().unwrap()));
    }

    #[test]
    fn older_lives_and_those_who_left_are_refused() {
        let mut known = Known::default();
        known.connected(A, 5, &[], token()).unwrap();
        assert_eq!(known.admits(A, 4).unwrap_err().0, Refusal::StaleIncarnation);
        assert!(known.admits(A, 5).is_ok() && known.admits(A, 6).is_ok());
        assert!(!known.keys.read().contains(&A), "a node is recognised because it came");
        known.forget(A);
        assert_eq!(known.admits(A, 6).unwrap_err().0, Refusal::Forgotten);
        assert!(known.keys.read().contains(&A), "it cannot be told that it has been removed");
        known.learn(A, &[], token());
        assert!(known.admits(A, 1).is_ok(), "a node that is learned again was put back on purpose");
    }

    #[test]
    fn nothing_grows_without_limit() {
        let mut known = Known::default();
        let node = |number: usize| NodeId((number as u128).to_be_bytes());
        for number in 0..MAX_PEERS + 10 {
            known.learn(node(number), &[], token());
        }
        assert_eq!(known.entries.len(), MAX_PEERS);
        assert_eq!(known.admits(node(MAX_PEERS + 1), 1).unwrap_err().0, Refusal::Busy);
        for number in 0..MAX_FORGOTTEN + 10 {
            known.forget(node(number));
        }
        assert_eq!((known.forgotten.len(), known.forgotten_order.len()), (MAX_FORGOTTEN, MAX_FORGOTTEN));
        assert!(known.keys.read().len() <= MAX_PEERS + MAX_FORGOTTEN);
    }
}
