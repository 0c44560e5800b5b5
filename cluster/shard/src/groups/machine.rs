//! The state machine of any group, so that all Raft handles of a node are of one type.

use crate::raft::TypeConfig;
use crate::raft::machine::{ControlStateMachine, ShardMachine, SnapshotFile};
use futures::Stream;
use openraft::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};
use std::io;

/// The state machine of any group, or what builds its snapshots.
pub(crate) enum AnyMachine {
    Shard(ShardMachine),
    Control(ControlStateMachine),
}

impl RaftSnapshotBuilder<TypeConfig> for AnyMachine {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotFile>, io::Error> {
        match self {
            Self::Shard(machine) => machine.build_snapshot().await,
            Self::Control(machine) => machine.build_snapshot().await,
        }
    }
}

impl RaftStateMachine<TypeConfig> for AnyMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogIdOf<TypeConfig>>, StoredMembershipOf<TypeConfig>), io::Error> {
        match self {
            Self::Shard(machine) => machine.applied_state().await,
            Self::Control(machine) => machine.applied_state().await,
        }
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        match self {
            Self::Shard(machine) => machine.apply(entries).await,
            Self::Control(machine) => machine.apply(entries).await,
        }
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        match self {
            Self::Shard(machine) => Self::Shard(machine.get_snapshot_builder().await),
            Self::Control(machine) => Self::Control(machine.get_snapshot_builder().await),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<TypeConfig>,
        snapshot: SnapshotFile,
    ) -> Result<(), io::Error> {
        match self {
            Self::Shard(machine) => machine.install_snapshot(meta, snapshot).await,
            Self::Control(machine) => machine.install_snapshot(meta, snapshot).await,
        }
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<TypeConfig, SnapshotFile>>, io::Error> {
        match self {
            Self::Shard(machine) => machine.get_current_snapshot().await,
            Self::Control(machine) => machine.get_current_snapshot().await,
        }
    }
}
