//! What a group sends to one other node.

use super::append::Appender;
use super::failure::{Errand, network};
use super::heartbeats::Heartbeats;
use super::peer::Peer;
use super::send_snapshot;
use super::wire::{self, Address, VoteAnswer, VoteFrame};
use crate::config::Timings;
use crate::groups::followers::Followers;
use crate::raft::machine::SnapshotFile;
use crate::raft::{GroupId, Replica, TypeConfig};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, Lane, MeshPort};
use octopussy_core::time::Timestamp;
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::error::{RPCError, ReplicationClosed, StreamingError};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long openraft waits before it tries an unreachable node again. A connection that comes back ends the wait.
const BACKOFF: Duration = Duration::from_millis(150);

/// How many snapshots a node sends at a time: each reads the state store and fills the disk's cache.
const SNAPSHOTS_SENT: usize = 2;

/// What all groups of a node share to reach other nodes.
pub(crate) struct Wires {
    pub(super) mesh: Arc<dyn MeshPort>,
    timings: Timings,
    heartbeats: Mutex<HashMap<NodeId, Arc<Heartbeats>>>,
    sending: Arc<Semaphore>,
    /// Numbers the tries of entries that go in parts.
    tries: Arc<AtomicU64>,
}

impl Wires {
    pub(crate) fn new(mesh: Arc<dyn MeshPort>, timings: Timings) -> Arc<Self> {
        Arc::new(Self {
            mesh,
            timings,
            heartbeats: Mutex::default(),
            sending: Arc::new(Semaphore::new(SNAPSHOTS_SENT)),
            tries: Arc::default(),
        })
    }

    /// This node, in its present life.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.mesh.incarnation()
    }

    /// Whether the node is connected in that very life.
    pub(crate) fn reaches(&self, peer: Incarnation) -> bool {
        self.mesh.peers().iter().any(|known| known.incarnation == peer)
    }

    /// What a node's clock shows.
    pub(crate) async fn clock_of(&self, peer: NodeId, within: Duration) -> Result<Timestamp, Arc<str>> {
        let said = |error: &dyn std::fmt::Display| Arc::from(error.to_string());
        let frame = wire::encode_request(&VoteFrame::Clock).map_err(|error| said(&error))?;
        let answer = self.mesh.call(peer, Lane::RaftVote, frame, within).await.map_err(|error| said(&error))?;
        match wire::decode(&answer)? {
            VoteAnswer::Clock(clock) => Ok(clock),
            VoteAnswer::Heartbeats(_) | VoteAnswer::Vote(_) | VoteAnswer::Transfer(_) | VoteAnswer::Introduced(_) => {
                Err("the answer does not fit the question".into())
            }
        }
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
    pub(crate) followers: Arc<Followers>,
}

impl NetworkFactory {
    fn client(&self, to: NodeId, replica: &Replica, heartbeats: bool) -> GroupClient {
        let address = Address { group: self.group, replica: replica.incarnation };
        GroupClient {
            wires: Arc::clone(&self.wires),
            peer: Peer { node: to, address, followers: Arc::clone(&self.followers) },
            to,
            heartbeats: heartbeats.then(|| self.wires.heartbeats(to)),
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for NetworkFactory {
    type Network = GroupClient;

    async fn new_client(&mut self, target: NodeId, replica: &Replica) -> GroupClient {
        self.client(target, replica, false)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, replica: &Replica) -> GroupClient {
        self.client(target, replica, true)
    }
}

/// An answer of another kind than the question.
fn unfitting() -> RPCError<TypeConfig> {
    network("the answer does not fit the question")
}

/// What a group sends to one other node.
pub(crate) struct GroupClient {
    wires: Arc<Wires>,
    peer: Peer,
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
            VoteAnswer::Vote(answer) => answer.map_err(|fault| self.peer.fault(&errand, &fault)),
            VoteAnswer::Heartbeats(_) | VoteAnswer::Transfer(_) | VoteAnswer::Introduced(_) | VoteAnswer::Clock(_) => {
                Err(unfitting())
            }
        }
    }

    async fn beat(
        heartbeats: Arc<Heartbeats>,
        peer: Peer,
        request: AppendEntriesRequest<TypeConfig>,
        within: Duration,
    ) -> Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>> {
        let (previous, vote) = (request.prev_log_id, request.vote);
        let known = peer.known(&vote)?;
        let response = heartbeats.beat(peer.clone(), request, within).await?;
        peer.outcome(response, vote, known, previous, previous)
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
            let (heartbeats, peer, within) = (Arc::clone(heartbeats), self.peer.clone(), option.soft_ttl());
            futures::stream::once(async move { input.next().await })
                .filter_map(futures::future::ready)
                .then(move |request| Self::beat(Arc::clone(&heartbeats), peer.clone(), request, within))
                .boxed()
        } else {
            let errand = self.errand(RPCTypes::AppendEntries, self.append_patience());
            let (mesh, tries) = (Arc::clone(&self.wires.mesh), Arc::clone(&self.wires.tries));
            Appender { mesh, peer: self.peer.clone(), errand, tries }.stream(input)
        };
        futures::future::ready(Ok(answers)).boxed()
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ask_for_vote(VoteFrame::Vote(self.peer.address, request), option.soft_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.ask_for_vote(VoteFrame::PreVote(self.peer.address, request), option.soft_ttl()).await
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
            send_snapshot::send(self.wires.mesh.as_ref(), &self.peer, vote, snapshot, &errand).await
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
        match self.ask(&VoteFrame::Transfer(self.peer.address, request), &errand).await? {
            VoteAnswer::Transfer(answer) => answer.map_err(|fault| self.peer.fault(&errand, &fault)),
            VoteAnswer::Heartbeats(_) | VoteAnswer::Vote(_) | VoteAnswer::Introduced(_) | VoteAnswer::Clock(_) => {
                Err(unfitting())
            }
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(BACKOFF)))
    }
}
