//! The greeting that both ends of a new connection exchange before anything else.

use crate::limits::MAX_ADDRESSES;
use crate::refusal::Refusal;
use octopussy_core::codec;
use octopussy_core::lineage::Lineage;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The first byte of the stream that carries the greeting.
pub(crate) const HELLO_TAG: u8 = 0x01;

/// What a node says of itself. Its id is not among it: that follows from its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) cluster: Arc<str>,
    pub(crate) oldest: u16,
    pub(crate) newest: u16,
    pub(crate) lineage: Lineage,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Counts the connections a node has begun, so that both ends agree which of two is the later.
    pub(crate) attempt: u64,
}

impl Hello {
    /// The bytes on the wire.
    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::encode(self).unwrap_or_default()
    }

    /// Reads what a peer said.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, (Refusal, String)> {
        let mut hello: Self = codec::decode(bytes).map_err(|error| (Refusal::Protocol, error.to_string()))?;
        hello.addresses.truncate(MAX_ADDRESSES);
        if !hello.lineage.is_sound() {
            return Err((Refusal::Protocol, "its lives are not told in their order".to_owned()));
        }
        Ok(hello)
    }

    /// Whether a node of this cluster with these versions can talk with the peer that said this.
    pub(crate) fn check(&self, cluster: &str, versions: &RangeInclusive<u16>) -> Result<(), (Refusal, String)> {
        if &*self.cluster != cluster {
            let text = format!("it belongs to cluster {:.64}, this node to {cluster:.64}", self.cluster);
            return Err((Refusal::ForeignCluster, text));
        }
        if self.newest < *versions.start() || self.oldest > *versions.end() {
            let text = format!(
                "it understands the wire versions {} to {}, this node {} to {}",
                self.oldest,
                self.newest,
                versions.start(),
                versions.end()
            );
            return Err((Refusal::IncompatibleVersion, text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello(cluster: &str, oldest: u16, newest: u16) -> Hello {
        Hello {
            cluster: Arc::from(cluster),
            oldest,
            newest,
            lineage: Lineage::numbered(1),
            addresses: Vec::new(),
            attempt: 0,
        }
    }

    #[test]
    fn only_the_own_cluster_and_a_common_version_pass() {
        let check = |hello: Hello| hello.check("c", &(2..=4)).map_err(|(refusal, _)| refusal);
        assert_eq!(check(hello("d", 2, 4)), Err(Refusal::ForeignCluster));
        assert_eq!(check(hello("c", 0, 1)), Err(Refusal::IncompatibleVersion));
        assert_eq!(check(hello("c", 5, 9)), Err(Refusal::IncompatibleVersion));
        for (oldest, newest) in [(0, 2), (4, 9), (3, 3), (0, 9)] {
            assert_eq!(check(hello("c", oldest, newest)), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _result = Hello::decode(&bytes);
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        let mut said = hello("c", 1, 2);
        said.lineage = Lineage::numbered(1_000);
        said.addresses = vec!["192.0.2.1:47210".parse().unwrap()];
        assert!(said.encode().len() < crate::limits::HELLO_BYTES / 2);
        assert_eq!(Hello::decode(&said.encode()), Ok(said));
    }
}
