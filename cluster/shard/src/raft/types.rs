//! The types that openraft is given: one configuration for every group, the control group and the shards alike.

use octopussy_control::{ControlApplied, ControlCommand, ControlRefusal};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::task::{Applied, Command, Refusal};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A Raft group: 0 is the control group, shard `n` is group `n + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct GroupId(pub(crate) u16);

impl GroupId {
    /// The control group.
    pub(crate) const CONTROL: Self = Self(0);

    /// The group of a shard. There are at most 1 024 shards, but other nodes may name any number: none is the control group.
    pub(crate) const fn of(shard: ShardId) -> Self {
        Self(shard.0.saturating_add(1))
    }

    /// The shard of a group; `None` for the control group.
    pub(crate) const fn shard(self) -> Option<ShardId> {
        match self.0 {
            0 => None,
            number => Some(ShardId(number - 1)),
        }
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What one log entry holds: everything that was in line for the group, so that one entry carries many commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Entries {
    /// Commands of a shard.
    Shard(Vec<Command>),
    /// Commands of the control group.
    Control(Vec<ControlCommand>),
}

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(commands) => write!(f, "{} commands", commands.len()),
            Self::Control(commands) => write!(f, "{} control commands", commands.len()),
        }
    }
}

/// What came of an entry: one answer for each command, in their order. Nothing for entries without commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answers {
    /// Of a blank or membership entry.
    None,
    /// Of a shard's commands.
    Shard(Vec<Result<Applied, Refusal>>),
    /// Of control commands.
    Control(Vec<Result<ControlApplied, ControlRefusal>>),
}

/// What the groups run on.
#[cfg(not(test))]
type Runtime = openraft::impls::TokioRuntime;

/// The same, with random numbers that a simulation may determine.
#[cfg(test)]
type Runtime = crate::tests::sim::SeededRuntime;

openraft::declare_raft_types!(
    /// One configuration for every group.
    pub(crate) TypeConfig:
        D = Entries,
        R = Answers,
        NodeId = NodeId,
        Node = super::replica::Replica,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
        AsyncRuntime = Runtime,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shard_is_the_control_group() {
        for shard in [0, 1, 1_023, u16::MAX - 1, u16::MAX].map(ShardId) {
            assert_ne!(GroupId::of(shard), GroupId::CONTROL, "{shard:?}");
        }
        assert_eq!(GroupId::of(ShardId(7)).shard(), Some(ShardId(7)));
    }
}
