//! Identifiers as newtypes, so that a task id can never be passed where an agent id is meant.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {kind}: expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct ParseIdError {
    /// What was expected ("task id").
    pub kind: &'static str,
    /// What was given.
    pub text: String,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that the caller drew.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// The sixteen bytes of the id, in network order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| ParseIdError { kind: $kind, text: text.to_owned() })
            }
        }
    };
}

uuid_id!(
    /// One agent. Its hash decides its shard.
    AgentId,
    "agent id"
);
uuid_id!(
    /// One task in the ledger.
    TaskId,
    "task id"
);
uuid_id!(
    /// One message; unique within its time to live, which is what the replay window checks.
    MessageId,
    "message id"
);
uuid_id!(
    /// What ties the messages, tasks and spans of one request together.
    TraceId,
    "trace id"
);
uuid_id!(
    /// Whoever sends or receives a message: an agent, or a user or service that speaks through the gateway.
    PartyId,
    "party id"
);

impl AgentId {
    /// The id of the agent called `name`. Names are unique on a cluster *because* the id follows from the name: whoever
    /// creates the same name asks the same shard, which refuses the second.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        use sha2::{Digest, Sha256};
        let digest: [u8; 32] =
            Sha256::new().chain_update(b"octopussy agent name\0").chain_update(name).finalize().into();
        let (bytes, _) = digest.split_first_chunk::<16>().expect("a digest is longer than a UUID");
        Self(uuid::Builder::from_custom_bytes(*bytes).into_uuid())
    }

    /// What decides the agent's shard.
    #[must_use]
    pub fn shard_hash(self) -> u32 {
        let [a, b, c, d, ..] = xxhash_rust::xxh3::xxh3_64(self.as_bytes()).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

impl TaskId {
    /// A task id for `agent` from a fresh random (version 7) UUID. The last four bytes become the agent's shard hash, so
    /// that any node can route a request for the task without a directory; 42 random bits a millisecond and agent remain.
    #[must_use]
    pub fn for_agent(agent: AgentId, fresh: Uuid) -> Self {
        let mut bytes = fresh.into_bytes();
        bytes[12..].copy_from_slice(&agent.shard_hash().to_be_bytes());
        Self(Uuid::from_bytes(bytes))
    }
}

impl From<AgentId> for PartyId {
    fn from(agent: AgentId) -> Self {
        Self(agent.0)
    }
}

impl From<PartyId> for AgentId {
    /// Reads a recipient as an agent; whether such an agent exists is the ledger's to say.
    fn from(party: PartyId) -> Self {
        Self(party.0)
    }
}

/// A node of the cluster: the first sixteen bytes of the SHA-256 of its certificate's public key. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub [u8; 16]);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// A shard: one replicated group that owns every agent whose id hashes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How many shards a cluster has; fixed when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardCount(std::num::NonZeroU16);

impl ShardCount {
    /// The most shards a cluster may have.
    pub const MAX: u16 = 1024;
    /// What a cluster has unless its creator chose otherwise: enough to spread over a dozen boards, few enough that
    /// their heartbeats do not wear out a small one.
    pub const DEFAULT: Self = Self(std::num::NonZeroU16::new(16).unwrap());

    /// A count from 1 to [`ShardCount::MAX`]; anything else is `None`.
    #[must_use]
    pub fn new(count: u16) -> Option<Self> {
        if count > Self::MAX { None } else { std::num::NonZeroU16::new(count).map(Self) }
    }

    /// The count as a number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The shard that owns `agent`, by xxh3 of the id's bytes.
    #[must_use]
    pub fn shard_of(self, agent: AgentId) -> ShardId {
        self.shard_of_hash(agent.shard_hash())
    }

    /// The shard that owns `task`: its agent's, which the task id carries.
    #[must_use]
    pub fn shard_of_task(self, task: TaskId) -> ShardId {
        let [.., a, b, c, d] = *task.as_bytes();
        self.shard_of_hash(u32::from_be_bytes([a, b, c, d]))
    }

    fn shard_of_hash(self, hash: u32) -> ShardId {
        let index = hash % u32::from(self.get());
        ShardId(u16::try_from(index).unwrap_or_default())
    }

    /// Every shard, in order.
    pub fn all(self) -> impl Iterator<Item = ShardId> {
        (0..self.get()).map(ShardId)
    }
}

/// The fence of a shard's leader: the log index of its committed `Activate` entry. Larger is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A stored blob: the SHA-256 of its content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlobId(pub [u8; 32]);

impl BlobId {
    /// The id of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        Self(Sha256::digest(content).into())
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for BlobId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = hex::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| ParseIdError { kind: "blob id", text: text.to_owned() })
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

#[cfg(test)]
mod tests;
