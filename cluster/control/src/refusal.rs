//! Why a command is refused.
//!
//! Variants and fields are only ever appended: their order is their encoding.

use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::lineage::Conflict;
use octopussy_core::ports::MemberRole;
use serde::{Deserialize, Serialize};

/// Why a command changed nothing at all.
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
    /// It cannot be a token.
    #[error("this join token cannot be: {0}")]
    BadToken(String),
    /// It cannot be a member's record.
    #[error("this member cannot be: {0}")]
    BadMember(String),
    /// It cannot be a cluster.
    #[error("this cluster cannot be: {0}")]
    BadCluster(String),
    /// Nobody has asked it to leave, or somebody has changed their mind.
    #[error("node {0} is not leaving")]
    NotLeaving(NodeId),
    /// A bound is reached.
    #[error("there cannot be more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// No such secret.
    #[error("there is no secret called '{0}'")]
    UnknownSecret(String),
    /// It cannot be a secret.
    #[error("this secret cannot be: {0}")]
    BadSecret(String),
    /// The home of the node is not the one that the cluster knows.
    #[error("the node cannot start: {0}")]
    OtherLife(Conflict),
    /// The token makes something else of a node than this node is or wants to be.
    #[error("{}", wrong_role(*token))]
    WrongRole {
        /// What the token makes of a node.
        token: MemberRole,
    },
    /// One key at a time takes the place of another.
    #[error("a rotation of this key is under way: members are taking up the new one")]
    RotationUnderWay,
    /// No such key, or it is not offered.
    #[error("the cluster has no such key")]
    UnknownKey,
    /// Whoever asks may not have that done.
    #[error("'{0}' may not have this done to the cluster")]
    NotAllowed(String),
    /// No such token of the interfaces.
    #[error("the cluster knows no such token: it was never noted, or has ended")]
    UnknownApiToken,
    /// It cannot be a token of the interfaces.
    #[error("this token cannot be: {0}")]
    BadApiToken(String),
}

const fn wrong_role(token: MemberRole) -> &'static str {
    match token {
        MemberRole::Full => {
            "this join token makes a node a full member, and this one is a guest or asks to be one: `octopussy cluster token --guest` \
             makes a token for guests"
        }
        MemberRole::Guest => {
            "this join token makes a node a guest, and this one is a full member: `octopussy cluster token` makes a token for members"
        }
    }
}
