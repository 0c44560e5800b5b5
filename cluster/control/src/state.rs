//! What the control group knows.

use crate::{ApiToken, ApiTokenId, MemberChange, SharedKey};
use octopussy_core::ids::{NodeId, ShardCount, ShardId};
use octopussy_core::lineage::Met;
use octopussy_core::ports::{KeyKind, MemberDesired, MemberRole, TokenUse};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// The cluster itself; fixed when it is founded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Its id: the first sixteen bytes of the SHA-256 of its authority's public key, in hexadecimal.
    pub id: String,
    /// How many shards it has.
    pub shards: ShardCount,
    /// How many replicas a shard has when there are nodes enough.
    pub replication: u8,
    /// When it was founded.
    pub founded_at: Timestamp,
}

/// The wire and store versions a member understands. A new kind of command is proposed only when every member's `max` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Its id, which follows from its key.
    pub id: NodeId,
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where its mesh endpoint is reached; the likeliest first.
    pub addresses: Vec<SocketAddr>,
    /// What it is.
    pub role: MemberRole,
    /// What is wanted of it.
    pub desired: MemberDesired,
    /// Its weight in placement, at least 1.
    pub capacity: u32,
    /// Its zone.
    pub zone: Option<String>,
    /// What it understands.
    pub versions: VersionRange,
    /// When it joined.
    pub joined_at: Timestamp,
}

/// The nodes of a shard. Voters are an odd number; the first is the preferred leader.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReplicaSet {
    /// Who votes.
    pub voters: Vec<NodeId>,
    /// Who follows without a vote.
    pub learners: Vec<NodeId>,
}

/// The entry of a group's log that holds a membership. Of two of one log, the later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct MembershipStamp {
    /// The term of its leader.
    pub term: u64,
    /// Its index.
    pub index: u64,
}

/// Where a shard is, and where it is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShardPlace {
    /// Where it is.
    pub current: ReplicaSet,
    /// Where a move under way brings it.
    pub target: Option<ReplicaSet>,
    /// Nodes of targets that were replaced: they may hold a replica, and even have a vote, until the shard's leader has
    /// reported where the shard is. Nobody in it can be removed from the cluster.
    pub former: BTreeSet<NodeId>,
    /// The membership that was reported last: an older one changes nothing.
    pub reported: MembershipStamp,
    /// The version of the table when a move was last planned: a report that does not know of it changes nothing.
    pub planned: u64,
}

/// Names a join token without telling it: the first eight bytes of its secret's SHA-256, in hexadecimal.
pub type TokenId = String;

/// Who made a join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMaker {
    /// The member where it was asked for.
    pub node: NodeId,
    /// Who asked there.
    pub principal: String,
    /// When.
    pub at: Timestamp,
}

/// A join token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// How often it may be used.
    pub uses: TokenUse,
    /// When it stops being accepted.
    pub expires_at: Timestamp,
    /// Who has used it.
    pub used_by: Vec<NodeId>,
    /// What a node becomes that joins with it. Whoever makes the token decides, and whoever joins does not.
    pub role: MemberRole,
    /// Who made it: it ends when that member leaves.
    pub made_by: TokenMaker,
}

/// A secret, encrypted with the cluster's data key, which only members have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// The ciphertext, as its sealer wrote it.
    pub sealed: Vec<u8>,
    /// When it was set.
    pub set_at: Timestamp,
}

/// Everything the control group knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ControlState {
    /// How many commands have been applied: grows with every one.
    pub version: u64,
    /// The cluster; `None` before it is founded.
    pub cluster: Option<ClusterRecord>,
    /// Its members.
    pub members: BTreeMap<NodeId, MemberRecord>,
    /// Nodes that have left: their ids are not accepted again.
    pub departed: BTreeMap<NodeId, Timestamp>,
    /// The version of the replica table: the value of `version` when it last changed.
    pub table_version: u64,
    /// Where the shards are, by number.
    pub table: Vec<ShardPlace>,
    /// Join tokens that may still be used or have expired less than a day ago.
    pub tokens: BTreeMap<TokenId, JoinToken>,
    /// Shared secrets, by name.
    pub secrets: BTreeMap<String, SealedSecret>,
    /// The keys that members share to sign and verify, the oldest of each kind first.
    pub keys: BTreeMap<KeyKind, Vec<SharedKey>>,
    /// Members that were stolen, with the kinds of keys that are yet to be replaced because of it.
    pub stolen: BTreeMap<NodeId, BTreeSet<KeyKind>>,
    /// The latest moment any command has named: time does not run backwards here.
    pub now: Timestamp,
    /// The latest life of each member that has told of one.
    pub lives: BTreeMap<NodeId, Met>,
    /// The tokens of the interfaces that are good, and those that would be had nobody revoked them.
    pub api_tokens: BTreeMap<ApiTokenId, ApiToken>,
    /// What became of members lately, the oldest first.
    pub history: VecDeque<MemberChange>,
}

impl ControlState {
    /// The place of a shard.
    #[must_use]
    pub fn place(&self, shard: ShardId) -> Option<&ShardPlace> {
        self.table.get(usize::from(shard.0))
    }
}

/// Something that must never be true of a state; only a bug makes it so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the control state is inconsistent: {0}")]
pub struct Fault(pub String);
