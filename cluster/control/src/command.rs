//! The commands of the control group.
//!
//! Variants and fields are only ever appended: their order is their encoding.

use crate::{
    ApiToken, ApiTokenId, AskedBy, ClusterRecord, JoinToken, KeyTag, MemberRecord, MembershipStamp, ReplicaSet,
    SealedSecret, TokenId, TokenMaker, VersionRange,
};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::{KeyKind, MemberDesired};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A change of what the control group knows.
///
/// Where a command names `now`, the group's leader sets it when it takes the command: nobody else's clock counts. It sets `by` as well: a node
/// says who asked it, and the leader which node that was.
#[expect(missing_docs, reason = "each variant's sentence names its fields")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlCommand {
    /// The first command: the cluster, and its first member, who holds every shard. Refused when there is a cluster, for a
    /// guest, and for a replication of zero. The founder is active from then on, and has joined when the cluster was founded.
    Found { cluster: ClusterRecord, founder: MemberRecord },
    /// A join token is made. Its id must follow from its digest ([`JoinToken::id_of`]), it must expire later than `now`, by at most
    /// [`MAX_TOKEN_LIFETIME`](crate::MAX_TOKEN_LIFETIME), be unused, and be made at a full member that is not leaving. Making the same token
    /// again changes nothing. Tokens that expired a day ago are forgotten on this occasion.
    AddToken { id: TokenId, token: JoinToken, now: Timestamp },
    /// A join token is withdrawn. Whoever has joined with it stays.
    RevokeToken { id: TokenId, now: Timestamp },
    /// A node joins, with the digest of the secret it showed. Refused for a node that has left, for a token that is unknown,
    /// expired, or used up by another node, for another role than the token's, for a name that is taken, and for versions that
    /// some member does not share. A node that is a member already (its answer was lost) is let in again, with the same token or another good one; only
    /// its addresses and versions are renewed then. A new member is active and has joined at `now`.
    Join { member: Box<MemberRecord>, token: [u8; 32], now: Timestamp },
    /// A member's own report after a start: where it is reached now, its capacity (zero counts as one), its zone, what it
    /// understands. Refused when some other member shares none of its versions.
    Report {
        node: NodeId,
        addresses: Vec<SocketAddr>,
        capacity: u32,
        zone: Option<String>,
        versions: VersionRange,
        now: Timestamp,
    },
    /// What is wanted of a member. The last active full member can be neither drained nor sent away. Whoever is leaving may
    /// be called back until it is removed; the join tokens that were made there are withdrawn when it is sent away.
    SetDesired { node: NodeId, desired: MemberDesired, now: Timestamp, by: AskedBy },
    /// A member is gone for good. Refused while it is not leaving, and while a shard's place or target names it. Its id is
    /// never accepted again; the uses it made of tokens are forgotten, and so is its own single-use token, and the tokens that it
    /// made are withdrawn.
    Remove { node: NodeId, now: Timestamp },
    /// Shards are to move. Refused as a whole when the table is no longer at `table_version`, when a shard is named twice or
    /// is there already, or when a place cannot be ([`check_place`](crate::ControlState::check_place)). A target that is being moved to is
    /// replaced; naming the place where the shard is takes its target back. Nodes of a replaced target are remembered until
    /// the shard's leader has reported.
    Plan { table_version: u64, moves: Vec<(ShardId, ReplicaSet)> },
    /// A shard's leader reports its group's committed membership. When `place` is the target, the move is done. When it is
    /// another, because the target was replaced meanwhile, the shard is noted to be there and its target stays. Without a
    /// target, any other place than the one where the shard is refused as stale. Nodes of replaced targets are forgotten.
    /// A report is stale, and changes nothing, when a later membership was reported before it (`at`), or when the shard was planned
    /// to move after its leader last looked (`planned`).
    Settle { shard: ShardId, place: ReplicaSet, at: MembershipStamp, planned: u64 },
    /// A shared secret is set; an earlier one of that name is replaced.
    PutSecret { name: String, secret: SealedSecret },
    /// A shared secret is removed. Refused when there is none of that name.
    RemoveSecret { name: String, now: Timestamp },
    /// By explicit command: `node` alone is to hold these shards, since their other replicas are lost. Refused for a guest
    /// and for a shard whose place and target do not name the node. Targets are taken back.
    Recover { node: NodeId, shards: Vec<ShardId>, now: Timestamp, by: AskedBy },
    /// Time has passed: tokens that expired a day ago are forgotten, and keys that nothing of worth was signed with.
    Tick { now: Timestamp },
    /// A member has started, or has written much since. Refused when its home does not go on from the life that is known of it:
    /// the home was copied, or an old one was put back.
    Start { node: NodeId, lineage: Lineage, now: Timestamp },
    /// A shared key is to take the place of the one that signs. The first of its kind signs at once. Refused while another is
    /// offered; offering the same again changes nothing. An authority comes with its certificate, in DER, and no other key with anything.
    OfferKey { kind: KeyKind, tag: KeyTag, sealed: SealedSecret, public: Vec<u8>, now: Timestamp },
    /// A member has a key that is offered. Once every full member that is to stay has it, it signs.
    KnowKey { kind: KeyKind, tag: KeyTag, node: NodeId, now: Timestamp },
    /// An offered key is to sign although a member has not said that it has it. Refused before
    /// [`KEY_OFFER_LIMIT`](crate::KEY_OFFER_LIMIT) has passed.
    ActivateKey { kind: KeyKind, tag: KeyTag, now: Timestamp },
    /// The newest key of this kind signs now, and no other verifies any more.
    EndKeyOverlap { kind: KeyKind, now: Timestamp },
    /// A member was stolen: as [`Self::SetDesired`] to `Leaving`, and every join token is withdrawn. Once it is out, members offer new keys of
    /// every kind; tokens of the key before are then good for minutes.
    Stolen { node: NodeId, now: Timestamp, by: AskedBy },
    /// A token of the interfaces is noted. It must be of a full member that is not leaving, end later than `now`, by at most
    /// [`MAX_API_TOKEN_LIFETIME`](octopussy_core::ports::MAX_API_TOKEN_LIFETIME), and not be revoked. Noting the same token again changes
    /// nothing. Of too many that a node has made for itself the oldest goes; what ended a day ago is forgotten on this occasion.
    AddApiToken { id: ApiTokenId, token: ApiToken, now: Timestamp },
    /// A token of the interfaces is good no longer. Revoking it again changes nothing.
    RevokeApiToken { id: ApiTokenId, by: TokenMaker, now: Timestamp },
}

impl ControlCommand {
    /// Sets the time at which it is carried out. The group's leader does that. A token's end is moved along: it was counted
    /// from what its maker's clock showed.
    pub fn stamp(&mut self, at: Timestamp) {
        match self {
            Self::AddToken { token, now, .. } => {
                token.expires_at = at.plus(token.expires_at.since(*now));
                *now = at;
            }
            Self::RevokeToken { now, .. }
            | Self::Join { now, .. }
            | Self::Report { now, .. }
            | Self::SetDesired { now, .. }
            | Self::Remove { now, .. }
            | Self::RemoveSecret { now, .. }
            | Self::Recover { now, .. }
            | Self::Start { now, .. }
            | Self::OfferKey { now, .. }
            | Self::KnowKey { now, .. }
            | Self::ActivateKey { now, .. }
            | Self::EndKeyOverlap { now, .. }
            | Self::Stolen { now, .. }
            | Self::AddApiToken { now, .. }
            | Self::RevokeApiToken { now, .. }
            | Self::Tick { now } => *now = at,
            Self::Found { .. } | Self::Plan { .. } | Self::Settle { .. } | Self::PutSecret { .. } => {}
        }
    }
}

/// What came of a command that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlApplied {
    /// Done; nothing to say.
    Done,
    /// The member as it now is.
    Member(Box<MemberRecord>),
}
