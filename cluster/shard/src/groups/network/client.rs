//! What a group sends to one other node.

use super::append::Appender;
use super::failure::{Errand, network};
use super::heartbeats::Heartbeats;
use super::send_snapshot;
use super::wire::{self, VoteAnswer, VoteFrame};
use crate::config::Timings;
use crate::raft::machine::SnapshotFile;
use crate::raft::{GroupId, TypeConfig};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Lane, MeshPort};
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::error::{RPCError, ReplicationClosed, StreamingError};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{EmptyNode, OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long openraft waits before it tries an unreachable node again. A connection that comes back ends the wait.
const BACKOFF: Duration = Duration::from_millis(150);

/// How many snapshots a node sends at a time: each reads the state store and fills the disk's cache.
const SNAPSHOTS_SENT: usize = 2;

/// What all groups of a node share to reach other nodes.
pub(crate) struct Wires {
    mesh: Arc<dyn MeshPort>,
    timings: Timings,
    heartbeats: Mutex<HashMap<NodeId, Arc<Heartbeats>>>,
    sending: Arc<Semaphore>,
}

impl Wires {
    pub(crate) fn new(mesh: Arc<dyn MeshPort>, timings: Timings) -> Arc<Self> {
        Arc::new(Self {
            mesh,
            timings,
            heartbeats: Mutex::default(),
            sending: Arc::new(Semaphore::new(SNAPSHOTS_SENT)),
        })
    }

    fn heartbeats(&self, peer: NodeId) -> Arc<Heartbeats> {
        let mut all = self.heartbeats.lock();
        Arc::clone(all.entry(peer).or_insert_with(|| Heartbeats::new(Arc::clone(&self.mesh), peer)))
    }
}

/// Makes the connections of one group.
pub(crate) struct NetworkFactory {
    pub(crate) wires: Arc<Wires>,
    pub(crate) group: GroupId,
}

impl NetworkFactory {
    fn client(&self, to: NodeId, heartbeats: bool) -> GroupClient {
        GroupClient {
            wires: Arc::clone(&self.wires),
            group: self.group,
            to,
            heartbeats: heartbeats.then(|| self.wires.heartbeats(to)),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = GroupClient;

    async fn new_client(&mut self, target: NodeId, _: &EmptyNode) -> GroupClient {
        self.client(target, false)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, _: &EmptyNode) -> GroupClient {
        self.client(target, true)
    }
}

/// What a group sends to one other node.
pub(crate) struct GroupClient {
    wires: Arc<Wires>,
    group: GroupId,
    to: NodeId,
    /// Set for the one that sends heartbeats only.
    heartbeats: Option<Arc<Heartbeats>>,
}

impl GroupClient {
    fn errand(&self, action: RPCTypes, within: Duration) -> Errand {
        Errand { action, from: self.wires.mesh.incarnation().node, to: self.to, within }
    }

    /// Entries are fsynced by the follower before it answers, which a busy card may take a while for.
    fn append_patience(&self) -> Duration {
        self.wires.timings.election_max
    }

    async fn ask(&self, frame: &VoteFrame, errand: &Errand) -> Result<VoteAnswer, RPCError<TypeConfig>> {
        let frame: Bytes = wire::encode_request(frame).map_err(network)?;
        let answer = self.wires.mesh.call(self.to, Lane::RaftVote, frame, errand.within).await;
        wire::decode(&answer.map_err(|error| errand.mesh(&error))?).map_err(network)
    }

    async fn ask_for_vote(
        &self,
        frame: VoteFrame,
        within: Duration,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let errand = self.errand(RPCTypes::Vote, within);
        match self.ask(&frame, &errand).await? {
            VoteAnswer::Vote(answer) => answer.map_err(|fault| errand.fault(&fault)),
            VoteAnswer::Heartbeats(_) | VoteAnswer::Transfer(_) => Err(network("the answer does not fit the question")),
        }
    }

    async fn beat(
        heartbeats: Arc<Heartbeats>,
        group: GroupId,
        request: AppendEntriesRequest<TypeConfig>,
        within: Duration,
    ) -> Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>> {
        let previous = request.prev_log_id;
        let response = heartbeats.beat(group, request, within).await?;
        if previous.is_none() && response.is_conflict() {
            return Err(network("a follower refused the beginning of the log"));
        }
        Ok(response.into_stream_result(previous, previous))
    }
}

impl RaftNetworkV2<TypeConfig> for GroupClient {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let input = futures::stream::iter([request]);
        let answer = self.stream_append(input, option).await?.next().await;
        answer.unwrap_or_else(|| Err(network("no answer"))).map(AppendEntriesResponse::from)
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>, RPCError<TypeConfig>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let answers = if let Some(heartbeats) = &self.heartbeats {
            let (heartbeats, group, within) = (Arc::clone(heartbeats), self.group, option.soft_ttl());
            futures::stream::once(async move { input.next().await })
                .filter_map(futures::future::ready)
                .then(move |request| Self::beat(Arc::clone(&heartbeats), group, request, within))
                .boxed()
        } else {
            let errand = self.errand(RPCTypes::AppendEntries, self.append_patience());
            Appender { mesh: Arc::clone(&self.wires.mesh), group: self.group, errand }.stream(input)
        };
        futures::future::ready(Ok(answers)).boxed()
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ask_for_vote(VoteFrame::Vote(self.group, request), option.soft_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ask_for_vote(VoteFrame::PreVote(self.group, request), option.soft_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: VoteOf<TypeConfig>,
        snapshot: SnapshotOf<TypeConfig, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let errand = self.errand(RPCTypes::InstallSnapshot, send_snapshot::PROGRESS_TIMEOUT);
        let send = async {
            let Ok(_permit) = self.wires.sending.acquire().await else {
                return Err(network("the node is stopping").into());
            };
            send_snapshot::send(self.wires.mesh.as_ref(), self.group, vote, snapshot, &errand).await
        };
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = send => sent,
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let errand = self.errand(RPCTypes::TransferLeader, option.soft_ttl());
        match self.ask(&VoteFrame::Transfer(self.group, request), &errand).await? {
            VoteAnswer::Transfer(answer) => answer.map_err(|fault| errand.fault(&fault)),
            VoteAnswer::Heartbeats(_) | VoteAnswer::Vote(_) => Err(network("the answer does not fit the question")),
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(BACKOFF)))
    }
}
