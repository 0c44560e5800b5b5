//! The state machine of a shard as openraft drives it.

use super::group_record::{LogId, Membership, SnapshotMeta};
use super::install;
use super::shard_cell::{Outcome, ShardCell};
use super::shared::Shared;
use super::snapshot::SnapshotFile;
use crate::raft::{Answers, Entries, GroupId, TypeConfig};
use futures::{Stream, TryStreamExt};
use octopussy_core::task::Command;
use openraft::EntryPayload;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::alias::SnapshotOf;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The state machine of a shard.
#[derive(Clone)]
pub(crate) struct ShardMachine {
    pub(super) shared: Arc<Shared>,
    pub(super) cell: Arc<ShardCell>,
}

impl ShardMachine {
    fn group(&self) -> GroupId {
        GroupId::of(self.cell.shard)
    }

    /// Applies an entry's commands in their order; tries again while the store cannot be read, since they are committed.
    async fn apply_commands(&self, commands: &[Command]) -> io::Result<Outcome> {
        let shared = &self.shared;
        let mut outcome = Outcome::default();
        let apply = || self.cell.apply(shared.config.node, commands, &mut outcome, &shared.store, &shared.agents);
        shared.insist(apply).await.map_err(io::Error::other)?;
        Ok(outcome)
    }

    fn note(&self, entry: LogId, membership: Option<Membership>) {
        self.shared.applied.fetch_add(1, Ordering::Relaxed);
        let taken = self.cell.applied(entry, membership);
        if taken.first {
            self.shared.signal.touched();
        }
        if taken.bytes > 0 {
            self.shared.signal.add(taken.bytes);
        }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for ShardMachine {
    type SnapshotData = SnapshotFile;

    /// Makes what is applied durable, after which the log need not hold it. The file is made when somebody wants it.
    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotFile>, io::Error> {
        self.shared.signal.flush().await.map_err(io::Error::other)?;
        let meta = self.shared.durable(self.group());
        Ok(SnapshotOf::<TypeConfig, SnapshotFile> {
            snapshot: SnapshotFile::of_state(Arc::clone(&self.shared), self.group(), meta.clone()),
            meta,
        })
    }
}

impl RaftStateMachine<TypeConfig> for ShardMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        let state = self.cell.state.read();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            self.shared.signal.room(|| self.cell.waiting_bytes()).await.map_err(io::Error::other)?;
            let id = entry.log_id;
            let (answers, events) = match entry.payload {
                EntryPayload::Normal(Entries::Shard(commands)) => {
                    let outcome = self.apply_commands(&commands).await?;
                    self.note(id, None);
                    (Answers::Shard(outcome.answers), outcome.events)
                }
                EntryPayload::Membership(membership) => {
                    self.note(id, Some(Membership::new(Some(id), membership)));
                    (Answers::None, Vec::new())
                }
                // Commands of another kind of group are never proposed here; there is nothing they could change.
                EntryPayload::Blank | EntryPayload::Normal(Entries::Control(_)) => {
                    self.note(id, None);
                    (Answers::None, Vec::new())
                }
            };
            if let Some(responder) = responder {
                responder.send(answers);
            }
            self.cell.leading.tell(id.committed_leader_id().term, &events, &self.shared.observers);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> Result<(), io::Error> {
        install::shard(self, meta, snapshot).await
    }

    /// What is stored, which may be a moment behind what is applied, but never behind what the log has dropped.
    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<TypeConfig, SnapshotFile>>, io::Error> {
        let applied = self.cell.state.read().applied;
        let mut meta = self.shared.durable(self.group());
        if applied.is_some() && meta.last_log_id.is_none() {
            self.shared.signal.flush().await.map_err(io::Error::other)?;
            meta = self.shared.durable(self.group());
        }
        Ok(meta.last_log_id.map(|_| SnapshotOf::<TypeConfig, SnapshotFile> {
            snapshot: SnapshotFile::of_state(Arc::clone(&self.shared), self.group(), meta.clone()),
            meta,
        }))
    }
}
