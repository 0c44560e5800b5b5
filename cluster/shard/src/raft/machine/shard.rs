//! The state machine of a shard as openraft drives it.

use super::snapshot::SnapshotFile;
use crate::raft::TypeConfig;
use futures::Stream;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use std::io;

/// The state machine of a shard.
#[derive(Clone)]
pub(crate) struct ShardMachine {}

impl RaftSnapshotBuilder<TypeConfig> for ShardMachine {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotFile>, io::Error> {
        todo!()
    }
}

impl RaftStateMachine<TypeConfig> for ShardMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogIdOf<TypeConfig>>, StoredMembershipOf<TypeConfig>), io::Error> {
        todo!()
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        todo!()
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        todo!()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMetaOf<TypeConfig>, snapshot: SnapshotFile) -> Result<(), io::Error> {
        todo!()
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<TypeConfig, SnapshotFile>>, io::Error> {
        todo!()
    }
}
