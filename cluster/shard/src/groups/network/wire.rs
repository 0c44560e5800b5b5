//! What travels between the Raft groups of two nodes.

use crate::raft::{GroupId, TypeConfig};
use bytes::Bytes;
use octopussy_core::codec::{self, CodecError};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{self, MeshRequest, RequestKind};
use openraft::alias::{SnapshotMetaOf, VoteOf};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::vote::RaftLeaderId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A request on the lane of votes.
#[derive(Serialize, Deserialize)]
pub(super) enum VoteFrame {
    /// Empty appends of many groups, which say that their leader is there.
    Heartbeats(Vec<(GroupId, AppendEntriesRequest<TypeConfig>)>),
    /// A candidate asks for a vote.
    Vote(GroupId, VoteRequest<TypeConfig>),
    /// A node asks whether it would get a vote.
    PreVote(GroupId, VoteRequest<TypeConfig>),
    /// The leader hands over.
    Transfer(GroupId, TransferLeaderRequest<TypeConfig>),
}

impl MeshRequest for VoteFrame {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Heartbeats(_) => RequestKind::Heartbeats,
            Self::Vote(..) => RequestKind::Vote,
            Self::PreVote(..) => RequestKind::PreVote,
            Self::Transfer(..) => RequestKind::Transfer,
        }
    }
}

/// What a group of another node says.
pub(super) type FromGroup<T> = Result<T, GroupFault>;

/// The answer to a [`VoteFrame`].
#[derive(Serialize, Deserialize)]
pub(super) enum VoteAnswer {
    /// One for each group, in the request's order.
    Heartbeats(Vec<FromGroup<AppendEntriesResponse<TypeConfig>>>),
    /// To a vote or a pre-vote.
    Vote(FromGroup<VoteResponse<TypeConfig>>),
    /// To a transfer.
    Transfer(FromGroup<TransferLeaderResponse<TypeConfig>>),
}

/// Entries of one group.
#[derive(Serialize, Deserialize)]
pub(super) struct AppendFrame {
    pub(super) group: GroupId,
    pub(super) request: AppendEntriesRequest<TypeConfig>,
}

impl MeshRequest for AppendFrame {
    fn kind(&self) -> RequestKind {
        RequestKind::Append
    }
}

/// The answer to an [`AppendFrame`].
pub(super) type AppendAnswer = FromGroup<AppendEntriesResponse<TypeConfig>>;

/// The first frame of a snapshot's stream; its content follows in frames of bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct SnapshotHeader {
    pub(super) group: GroupId,
    pub(super) vote: VoteOf<TypeConfig>,
    pub(super) meta: SnapshotMetaOf<TypeConfig>,
    /// How many bytes follow.
    pub(super) length: u64,
}

/// The last frame of a snapshot's stream, from its receiver.
pub(super) type SnapshotAnswer = FromGroup<SnapshotResponse<TypeConfig>>;

/// A group of another node did not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum GroupFault {
    /// The node does not have the group (yet).
    #[error("the node has no replica of group {0}")]
    Absent(GroupId),
    /// It did not answer in time.
    #[error("group {0} did not answer in time")]
    Late(GroupId),
    /// It has stopped.
    #[error("group {0} has stopped: {1}")]
    Stopped(GroupId, Arc<str>),
    /// As the node knows the group, whoever asks is none of it, or does not speak for itself.
    #[error("group {0} does not hear this node")]
    Unheard(GroupId),
}

/// The node that a vote is for, which is the one that has to send it: a candidate, or a leader.
pub(super) fn speaker(vote: &VoteOf<TypeConfig>) -> NodeId {
    *vote.leader_id.node_id()
}

/// Encodes a request.
pub(super) fn encode_request<R: MeshRequest>(request: &R) -> Result<Bytes, CodecError> {
    ports::encode_request(request).map(Bytes::from)
}

/// Decodes a request; says why not in words fit for the peer.
pub(super) fn decode_request<R: MeshRequest>(frame: &[u8]) -> Result<R, Arc<str>> {
    ports::decode_request(frame).map_err(|error| Arc::from(error.to_string()))
}

/// Encodes a frame.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Bytes, CodecError> {
    codec::encode(value).map(Bytes::from)
}

/// Decodes a frame; says why not in words fit for the peer.
pub(super) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, Arc<str>> {
    codec::decode(frame).map_err(|error| Arc::from(format!("the frame cannot be read: {error}")))
}
