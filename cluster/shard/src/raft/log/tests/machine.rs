//! A state machine that remembers what was applied, and a network without anybody.

use crate::raft::types::{Answers, TypeConfig};
use futures::{Stream, TryStreamExt};
use openraft::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{OptionalSend, RaftTypeConfig};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

/// What was applied, and the last snapshot.
pub(super) struct Content<C: RaftTypeConfig> {
    pub(super) applied: Vec<C::Entry>,
    pub(super) last: Option<LogIdOf<C>>,
    pub(super) membership: StoredMembershipOf<C>,
    snapshot: Option<SnapshotMetaOf<C>>,
}

/// A state machine in memory; clones are of the same.
pub(super) struct Machine<C: RaftTypeConfig>(pub(super) Arc<Mutex<Content<C>>>);

impl<C: RaftTypeConfig> Clone for Machine<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: RaftTypeConfig> Machine<C> {
    pub(super) fn new() -> Self {
        let membership = StoredMembershipOf::<C>::default();
        Self(Arc::new(Mutex::new(Content { applied: Vec::new(), last: None, membership, snapshot: None })))
    }
}

impl<C: RaftTypeConfig> RaftSnapshotBuilder<C> for Machine<C> {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<C, ()>, io::Error> {
        let mut content = self.0.lock();
        let meta =
            SnapshotMetaOf::<C> { last_log_id: content.last.clone(), last_membership: content.membership.clone() };
        content.snapshot = Some(meta.clone());
        Ok(SnapshotOf::<C, ()> { meta, snapshot: () })
    }
}

impl<C: RaftTypeConfig<R = Answers>> RaftStateMachine<C> for Machine<C> {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogIdOf<C>>, StoredMembershipOf<C>), io::Error> {
        let content = self.0.lock();
        Ok((content.last.clone(), content.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<C>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let mut content = self.0.lock();
            content.last = Some(entry.log_id());
            if let Some(membership) = entry.get_membership() {
                content.membership = StoredMembershipOf::<C>::new(Some(entry.log_id()), membership);
            }
            content.applied.push(entry);
            if let Some(responder) = responder {
                responder.send(Answers::None);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMetaOf<C>, (): ()) -> Result<(), io::Error> {
        let mut content = self.0.lock();
        content.last.clone_from(&meta.last_log_id);
        content.membership = meta.last_membership.clone();
        content.snapshot = Some(meta.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf<C, ()>>, io::Error> {
        let content = self.0.lock();
        Ok(content.snapshot.clone().map(|meta| SnapshotOf::<C, ()> { meta, snapshot: () }))
    }
}

/// A network in which nobody answers.
#[derive(Clone, Copy)]
pub(super) struct Nobody;

fn nobody() -> Unreachable<TypeConfig> {
    Unreachable::new(&io::Error::from(io::ErrorKind::HostUnreachable))
}

impl RaftNetworkFactory<TypeConfig> for Nobody {
    type Network = Self;

    async fn new_client(&mut self, _: octopussy_core::ids::NodeId, _: &crate::raft::Replica) -> Self {
        Self
    }
}

impl RaftNetworkV2<TypeConfig> for Nobody {
    type SnapshotData = ();

    async fn append_entries(
        &mut self,
        _: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        Err(nobody().into())
    }

    async fn vote(
        &mut self,
        _: VoteRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Err(nobody().into())
    }

    async fn pre_vote(
        &mut self,
        _: VoteRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Err(nobody().into())
    }

    async fn full_snapshot(
        &mut self,
        _: VoteOf<TypeConfig>,
        _: SnapshotOf<TypeConfig, ()>,
        _: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        Err(nobody().into())
    }
}
