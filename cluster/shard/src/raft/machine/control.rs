//! The state machine of the control group as openraft drives it.

use super::control_cell::ControlCell;
use super::group_record::{LogId, Membership, SnapshotMeta};
use super::install;
use super::shared::Shared;
use super::snapshot::SnapshotFile;
use crate::raft::{Answers, Entries, GroupId, TypeConfig};
use futures::{Stream, TryStreamExt};
use octopussy_control::ControlState;
use openraft::EntryPayload;
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::type_config::alias::{EntryOf, SnapshotOf};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The state machine of the control group.
#[derive(Clone)]
pub(crate) struct ControlStateMachine {
    pub(super) shared: Arc<Shared>,
}

impl ControlStateMachine {
    fn cell(&self) -> &ControlCell {
        &self.shared.control
    }

    fn apply_entry(&self, entry: EntryOf<TypeConfig>) -> Answers {
        let mut inner = self.cell().inner.lock();
        let answers = match entry.payload {
            EntryPayload::Normal(Entries::Control(commands)) => {
                // Readers keep what they have: the state is copied, once for an entry, which counts as a whole or not at all.
                let mut state = ControlState::clone(&inner.state);
                let answers = commands.into_iter().map(|command| state.apply(command)).collect();
                inner.state = Arc::new(state);
                Answers::Control(answers)
            }
            EntryPayload::Membership(membership) => {
                inner.membership = Membership::new(Some(entry.log_id), membership);
                Answers::None
            }
            // Commands of another kind of group are never proposed here; there is nothing they could change.
            EntryPayload::Blank | EntryPayload::Normal(Entries::Shard(_)) => Answers::None,
        };
        inner.applied = Some(entry.log_id);
        inner.touched = true;
        answers
    }

    fn snapshot(&self, meta: SnapshotMeta) -> SnapshotOf<TypeConfig, SnapshotFile> {
        let snapshot = SnapshotFile::of_state(Arc::clone(&self.shared), GroupId::CONTROL, meta.clone());
        SnapshotOf::<TypeConfig, SnapshotFile> { meta, snapshot }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for ControlStateMachine {
    type SnapshotData = SnapshotFile;

    /// Makes what is applied durable, after which the log need not hold it. The file is made when somebody wants it.
    async fn build_snapshot(&mut self) -> Result<SnapshotOf<TypeConfig, SnapshotFile>, io::Error> {
        self.shared.signal.flush().await.map_err(io::Error::other)?;
        Ok(self.snapshot(self.shared.durable(GroupId::CONTROL)))
    }
}

impl RaftStateMachine<TypeConfig> for ControlStateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        let inner = self.cell().inner.lock();
        Ok((inner.applied, inner.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + Send,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let answers = self.apply_entry(entry);
            self.shared.applied.fetch_add(1, Ordering::Relaxed);
            self.shared.signal.touched();
            if let Answers::Control(_) = &answers {
                // Before the answer, so that whoever has it finds what it speaks of.
                self.shared.learn_count(&self.cell().inner.lock().state);
                self.cell().publish();
            }
            if let Some(responder) = responder {
                responder.send(answers);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> Result<(), io::Error> {
        install::control(&self.shared, meta, snapshot).await
    }

    /// What is stored, which may be a moment behind what is applied, but never behind what the log has dropped.
    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<TypeConfig, SnapshotFile>>, io::Error> {
        let applied = self.cell().inner.lock().applied;
        let mut meta = self.shared.durable(GroupId::CONTROL);
        if applied.is_some() && meta.last_log_id.is_none() {
            self.shared.signal.flush().await.map_err(io::Error::other)?;
            meta = self.shared.durable(GroupId::CONTROL);
        }
        Ok(meta.last_log_id.is_some().then(|| self.snapshot(meta)))
    }
}
