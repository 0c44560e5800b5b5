//! The state machine of any group, so that all Raft handles of a node are of one type.

use crate::raft::machine::{ControlStateMachine, ShardMachine, SnapshotFile, StateHost};
use crate::raft::{GroupId, TypeConfig};
use futures::Stream;
use openraft::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};
use std::io;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The state machine of any group, or what builds its snapshots.
pub(crate) struct AnyMachine {
    kind: Kind,
    /// Counts this among the users of the group's state, as long as it is there.
    user: TaskTrackerToken,
}

enum Kind {
    Shard(ShardMachine),
    Control(ControlStateMachine),
}

impl AnyMachine {
    /// The machine of a group, counted among `users`.
    pub(crate) fn of(id: GroupId, state: &StateHost, users: &TaskTracker) -> Self {
        let kind = match id.shard() {
            Some(shard) => Kind::Shard(state.shard(shard)),
            None => Kind::Control(state.control()),
        };
        Self { kind, user: users.token() }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for AnyMachine {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotFile>, io::Error> {
        match &mut self.kind {
            Kind::Shard(machine) => machine.build_snapshot().await,
            Kind::Control(machine) => machine.build_snapshot().await,
        }
    }
}

impl RaftStateMachine<TypeConfig> for AnyMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogIdOf<TypeConfig>>, StoredMembershipOf<TypeConfig>), io::Error> {
        match &mut self.kind {
            Kind::Shard(machine) => machine.applied_state().await,
            Kind::Control(machine) => machine.applied_state().await,
        }
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        match &mut self.kind {
            Kind::Shard(machine) => machine.apply(entries).await,
            Kind::Control(machine) => machine.apply(entries).await,
        }
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        let kind = match &mut self.kind {
            Kind::Shard(machine) => Kind::Shard(machine.get_snapshot_builder().await),
            Kind::Control(machine) => Kind::Control(machine.get_snapshot_builder().await),
        };
        Self { kind, user: self.user.clone() }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<TypeConfig>,
        snapshot: SnapshotFile,
    ) -> Result<(), io::Error> {
        match &mut self.kind {
            Kind::Shard(machine) => machine.install_snapshot(meta, snapshot).await,
            Kind::Control(machine) => machine.install_snapshot(meta, snapshot).await,
        }
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<TypeConfig, SnapshotFile>>, io::Error> {
        match &mut self.kind {
            Kind::Shard(machine) => machine.get_current_snapshot().await,
            Kind::Control(machine) => machine.get_current_snapshot().await,
        }
    }
}
