//! What can be read off the state.

use crate::{ControlState, MemberRecord, ReplicaSet, ShardPlace, VersionRange};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{MemberDesired, MemberRole};

impl VersionRange {
    /// What all of `ranges` understand; `None` when there are none of them. Where nothing is common to all, `min` is
    /// greater than `max`.
    #[must_use]
    pub fn common(ranges: impl IntoIterator<Item = Self>) -> Option<Self> {
        ranges.into_iter().reduce(|all, next| Self { min: all.min.max(next.min), max: all.max.min(next.max) })
    }
}

impl ReplicaSet {
    /// Everybody in it: the voters in their order, then the learners.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.voters.iter().chain(&self.learners).copied()
    }

    /// Whether `node` is in it.
    #[must_use]
    pub fn names(&self, node: NodeId) -> bool {
        self.nodes().any(|named| named == node)
    }
}

impl ShardPlace {
    /// The place of a shard that `node` holds alone.
    pub(crate) fn alone(node: NodeId) -> Self {
        let current = ReplicaSet { voters: vec![node], learners: Vec::new() };
        Self { current, ..Self::default() }
    }

    /// Whether `node` holds a replica of it, will hold one once the move under way is done, or may still hold one.
    #[must_use]
    pub fn names(&self, node: NodeId) -> bool {
        self.current.names(node)
            || self.target.as_ref().is_some_and(|target| target.names(node))
            || self.former.contains(&node)
    }
}

impl MemberRecord {
    /// Whether new replicas and votes may be given to it: a full member that is neither drained nor leaving.
    #[must_use]
    pub fn holds_replicas(&self) -> bool {
        self.role == MemberRole::Full && self.desired == MemberDesired::Active
    }
}

impl ControlState {
    /// How many shards have a place that names `node`: see [`ShardPlace::names`].
    #[must_use]
    pub fn replicas_of(&self, node: NodeId) -> usize {
        self.table.iter().filter(|place| place.names(node)).count()
    }

    /// The shards whose place names `node`: see [`ShardPlace::names`].
    pub fn shards_of(&self, node: NodeId) -> impl Iterator<Item = ShardId> + '_ {
        self.shards().filter(move |(_, place)| place.names(node)).map(|(shard, _)| shard)
    }

    /// Every shard and its place, by number.
    pub fn shards(&self) -> impl Iterator<Item = (ShardId, &ShardPlace)> {
        (0..=u16::MAX).map(ShardId).zip(&self.table)
    }

    /// The member called `name`.
    #[must_use]
    pub fn member_named(&self, name: &str) -> Option<&MemberRecord> {
        self.members.values().find(|member| member.name == name)
    }

    /// What every member understands; `None` before the cluster is founded.
    #[must_use]
    pub fn versions(&self) -> Option<VersionRange> {
        VersionRange::common(self.members.values().map(|member| member.versions))
    }
}
