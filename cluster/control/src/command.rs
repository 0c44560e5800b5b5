//! The commands of the control group.
//!
//! Variants and fields are only ever appended: their order is their encoding.

use crate::{ClusterRecord, JoinToken, MemberRecord, ReplicaSet, SealedSecret, TokenId, VersionRange};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::MemberDesired;
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A change of what the control group knows.
#[expect(missing_docs, reason = "each variant's sentence names its fields")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlCommand {
    /// The first command: the cluster, and its first member, who holds every shard.
    Found { cluster: ClusterRecord, founder: MemberRecord },
    /// A join token is made.
    AddToken { id: TokenId, token: JoinToken, now: Timestamp },
    /// A join token is withdrawn.
    RevokeToken { id: TokenId, now: Timestamp },
    /// A node joins, with the digest of the secret it showed. A node that is a member already (its answer was lost) is let
    /// in again with the same token.
    Join { member: Box<MemberRecord>, token: [u8; 32], now: Timestamp },
    /// A member's own report after a start: where it is reached now, its capacity, what it understands.
    Report { node: NodeId, addresses: Vec<SocketAddr>, capacity: u32, zone: Option<String>, versions: VersionRange, now: Timestamp },
    /// What is wanted of a member.
    SetDesired { node: NodeId, desired: MemberDesired, now: Timestamp },
    /// A member is gone for good. Refused while a shard's place names it.
    Remove { node: NodeId, now: Timestamp },
    /// Shards are to move. Refused as a whole when the table is no longer at `table_version`.
    Plan { table_version: u64, moves: Vec<(ShardId, ReplicaSet)> },
    /// A shard's leader has brought its group to `place`: the move is done.
    Settle { shard: ShardId, place: ReplicaSet },
    /// A shared secret is set.
    PutSecret { name: String, secret: SealedSecret },
    /// A shared secret is removed.
    RemoveSecret { name: String, now: Timestamp },
    /// By explicit command: `node` alone is to hold these shards, since their other replicas are lost.
    Recover { node: NodeId, shards: Vec<ShardId>, now: Timestamp },
    /// Time has passed: tokens that expired a day ago are forgotten.
    Tick { now: Timestamp },
}

/// What came of a command that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlApplied {
    /// Done; nothing to say.
    Done,
    /// The member as it now is.
    Member(Box<MemberRecord>),
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ControlRefusal {
    /// There is a cluster already.
    #[error("the cluster was founded already")]
    Founded,
    /// There is none yet.
    #[error("there is no cluster yet")]
    NotFounded,
    /// No such token was made here.
    #[error("this join token is not known to the cluster: it was made by another cluster, or withdrawn, or forgotten")]
    UnknownToken,
    /// It is too late for it.
    #[error("this join token has expired")]
    TokenExpired,
    /// It was used up.
    #[error("this join token was used already: each is good for one node")]
    TokenUsed,
    /// The name is taken.
    #[error("a member called '{0}' exists already: choose another name with --name")]
    NameTaken(String),
    /// It has left for good.
    #[error("node {0} has left the cluster: a node joins again with a new data directory")]
    Departed(NodeId),
    /// No such member.
    #[error("there is no member {0}")]
    UnknownMember(NodeId),
    /// It speaks another language.
    #[error("the node understands versions {theirs_min} to {theirs_max}, the cluster {ours_min} to {ours_max}")]
    Incompatible {
        /// The node's oldest.
        theirs_min: u16,
        /// Its newest.
        theirs_max: u16,
        /// The cluster's oldest.
        ours_min: u16,
        /// Its newest.
        ours_max: u16,
    },
    /// Shards are still there.
    #[error("{shards} shards still have replicas on the node: drain it first")]
    HoldsReplicas {
        /// How many.
        shards: usize,
    },
    /// It is the last that holds replicas.
    #[error("the last member cannot leave")]
    LastMember,
    /// Somebody else has changed the table meanwhile.
    #[error("the replica table has changed meanwhile")]
    StaleTable,
    /// No such shard.
    #[error("there is no shard {0}")]
    UnknownShard(ShardId),
    /// A set of replicas that cannot be: empty, even, doubled, or with a stranger or a guest in it.
    #[error("shard {shard} cannot be placed so: {reason}")]
    BadPlace {
        /// Which.
        shard: ShardId,
        /// Why.
        reason: String,
    },
}
