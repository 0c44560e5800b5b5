//! What each group keeps of itself in the store.

use super::keys::Slot;
use crate::raft::TypeConfig;
use octopussy_core::ids::ShardId;
use octopussy_ledger::ShardRecord;
use openraft::type_config::alias::{LogIdOf, SnapshotMetaOf, StoredMembershipOf};
use serde::{Deserialize, Serialize};

pub(super) type LogId = LogIdOf<TypeConfig>;
pub(super) type Membership = StoredMembershipOf<TypeConfig>;
pub(super) type SnapshotMeta = SnapshotMetaOf<TypeConfig>;

/// How far a group's stored state has come. It is written in the same transaction as what it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct GroupRecord {
    /// Of a shard: the generation of the slot that holds its rows.
    pub(super) generation: u8,
    /// The last entry of the log that was applied.
    pub(super) applied: Option<LogId>,
    /// The last membership that was applied.
    pub(super) membership: Membership,
    /// Of a shard: what its machine keeps of itself, the position of the last command included.
    pub(super) shard: ShardRecord,
}

impl GroupRecord {
    /// What a snapshot of this state says of itself.
    pub(super) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() }
    }

    /// Whether a snapshot that says this of itself is of this state.
    pub(super) fn is_of(&self, meta: &SnapshotMeta) -> bool {
        self.applied == meta.last_log_id && self.membership == meta.last_membership
    }

    /// Where the rows lie.
    pub(super) const fn slot(&self, shard: ShardId) -> Slot {
        Slot { shard, generation: self.generation }
    }
}
