//! What travels between the Raft groups of two nodes.

use crate::raft::{GroupId, ReplicaIncarnation, TypeConfig};
use bytes::Bytes;
use octopussy_core::codec::{self, CodecError};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{self, MeshRequest, RequestKind};
use octopussy_core::time::Timestamp;
use openraft::alias::{SnapshotMetaOf, VoteOf};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::vote::RaftLeaderId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which replica of a group is meant. One that is another answers with [`GroupFault::Renewed`] and does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) group: GroupId,
    /// As the sender's membership names it.
    pub(super) replica: ReplicaIncarnation,
}

/// A request on the lane of votes.
#[derive(Serialize, Deserialize)]
pub(super) enum VoteFrame {
    /// Empty appends of many groups, which say that their leader is there.
    Heartbeats(Vec<(Address, AppendEntriesRequest<TypeConfig>)>),
    /// A candidate asks for a vote.
    Vote(Address, VoteRequest<TypeConfig>),
    /// A node asks whether it would get a vote.
    PreVote(Address, VoteRequest<TypeConfig>),
    /// The leader hands over.
    Transfer(Address, TransferLeaderRequest<TypeConfig>),
    /// What does the node's clock show?
    Clock,
    /// A leader that lets the node in asks which replica of the group it has.
    Introduce(GroupId),
    /// A leader wants another replica in the place of this one, which it has let go.
    Renew(Address),
}

impl MeshRequest for VoteFrame {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Heartbeats(_) => RequestKind::Heartbeats,
            Self::Vote(..) => RequestKind::Vote,
            Self::PreVote(..) => RequestKind::PreVote,
            Self::Transfer(..) => RequestKind::Transfer,
            Self::Clock => RequestKind::Clock,
            Self::Introduce(_) => RequestKind::Introduce,
            Self::Renew(_) => RequestKind::Renew,
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
    /// To a question for the clock.
    Clock(Timestamp),
    /// Which replica the node has: to an introduction, and to the wish for another.
    Introduced(FromGroup<ReplicaIncarnation>),
}

/// A request on the lane of entries.
#[derive(Serialize, Deserialize)]
pub(super) enum AppendMessage {
    /// Entries.
    Whole(AppendFrame),
    /// A part of an [`AppendFrame`] that is too long for one request.
    Part(AppendPart),
}

impl MeshRequest for AppendMessage {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Whole(_) | Self::Part(_) => RequestKind::Append,
        }
    }
}

/// Entries of one group.
#[derive(Serialize, Deserialize)]
pub(super) struct AppendFrame {
    pub(super) address: Address,
    pub(super) request: AppendEntriesRequest<TypeConfig>,
}

/// A part of an encoded [`AppendFrame`]. Parts come in order; each is answered before the next is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AppendPart {
    pub(super) group: GroupId,
    /// Which try of the sender it belongs to.
    pub(super) number: u64,
    /// How many bytes all parts have together.
    pub(super) total: u64,
    /// How many bytes came before this part.
    pub(super) from: u64,
    pub(super) bytes: Bytes,
}

/// The answer to an [`AppendMessage`].
pub(super) type AppendAnswer = FromGroup<AppendReply>;

/// What a group says to entries.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum AppendReply {
    /// What its Raft answers.
    Raft(AppendEntriesResponse<TypeConfig>),
    /// The part is kept; the next may come.
    Kept,
}

/// The first frame of a snapshot's stream; if its receiver wants it, its content follows in frames of bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct SnapshotHeader {
    pub(super) address: Address,
    pub(super) vote: VoteOf<TypeConfig>,
    pub(super) meta: SnapshotMetaOf<TypeConfig>,
    /// How many bytes follow.
    pub(super) length: u64,
}

/// What comes of a snapshot.
pub(super) type SnapshotAnswer = FromGroup<SnapshotResponse<TypeConfig>>;

/// A frame of a snapshot's stream, from its receiver.
#[derive(Serialize, Deserialize)]
pub(super) enum SnapshotReport {
    /// The content is to be sent. Not said of a snapshot that is here already and is being installed.
    Wanted,
    /// It is being verified and installed; so many bytes of that are done.
    Working(u64),
    /// The last frame.
    Answer(SnapshotAnswer),
}

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
    /// The node has another replica of the group than the one meant.
    #[error("the node has replica {1} of group {0} now, which is another than the one that counts")]
    Renewed(GroupId, ReplicaIncarnation),
    /// A part of its entries is not taken: it does not follow the one before, or there is no room now.
    #[error("group {0} does not take the entry's part: {1}")]
    Part(GroupId, Arc<str>),
    /// As the node knows the group, whoever asks is none of it, or does not speak for itself.
    #[error("group {0} does not hear this node")]
    Unheard(GroupId),
    /// The replica has taken something for committed that its leader does not have.
    #[error("the replica of group {0} has committed something else")]
    Astray(GroupId),
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
