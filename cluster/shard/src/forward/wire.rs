//! What is forwarded to the leader of a group, and its answers.
//!
//! Variants and fields are only ever appended: their order is their encoding.

use crate::error::ControlError;
use crate::groups::LeaderWord;
use crate::raft::machine::ReplicaDigest;
use crate::routing;
use bytes::Bytes;
use octopussy_control::{ControlApplied, ControlCommand, Who};
use octopussy_core::agent::AgentRecord;
use octopussy_core::codec;
use octopussy_core::ids::{AgentId, NodeId, ShardId, TaskId};
use octopussy_core::ports::{self, AgentQuery, Asker, MeshRequest, Page, ProposeError, RequestKind, TaskQuery};
use octopussy_core::task::{Applied, Command, TaskRecord};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Something for the leader of a shard, or of several.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Request {
    /// Commit a command.
    Propose(ShardId, Command),
    /// Read a task.
    Task(TaskId),
    /// Read an agent.
    Agent(AgentId),
    /// Count the tasks that wait for an agent.
    Waiting(AgentId),
    /// List tasks of these shards.
    Tasks(Vec<ShardId>, TaskQuery),
    /// List agents of these shards.
    Agents(Vec<ShardId>, AgentQuery),
    /// Count the dead letters of these shards.
    DeadLetters(Vec<ShardId>),
    /// Wait for a task's end.
    AwaitEnd(TaskId, Duration),
    /// Say who belongs to the group of this number.
    Word(u16),
    /// Tell the digests of all replicas here, whoever leads them.
    Digests,
}

impl MeshRequest for Request {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Propose(_, command) => routing::request_kind(command),
            Self::Task(_)
            | Self::Agent(_)
            | Self::Waiting(_)
            | Self::Tasks(..)
            | Self::Agents(..)
            | Self::DeadLetters(_)
            | Self::AwaitEnd(..) => RequestKind::LedgerRead,
            Self::Word(_) => RequestKind::LeaderWord,
            Self::Digests => RequestKind::Digests,
        }
    }
}

/// What the leader says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Reply {
    Applied(Applied),
    Task(Option<Arc<TaskRecord>>),
    Agent(Option<Arc<AgentRecord>>),
    Count(u64),
    Tasks(Part<Page<Arc<TaskRecord>>>),
    Agents(Part<Page<Arc<AgentRecord>>>),
    DeadLetters(Part<u64>),
    Word(Option<LeaderWord>),
    Digests(Vec<ReplicaDigest>),
}

/// An answer about those of the shards asked for that the node leads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part<T> {
    pub(super) answer: T,
    /// Those it does not lead, and who leads them if it knows.
    pub(super) elsewhere: Vec<(ShardId, Option<NodeId>)>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Rejection {
    /// Another node leads the group, this one if it is known. Nothing changed.
    NotLeader(Option<NodeId>),
    /// Something else.
    Failed(ProposeError),
}

/// The answer to a [`Request`].
pub(super) type Answer = Result<Reply, Rejection>;

/// Something for the control group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum ControlRequest {
    /// Commit a command, for whoever asks the node that brings it.
    Propose(Asker, ControlCommand),
    /// What is this node, as the one that is asked knows it?
    Standing(NodeId),
}

impl MeshRequest for ControlRequest {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Propose(_, command) => command.request_kind(),
            Self::Standing(_) => RequestKind::Standing,
        }
    }
}

/// The answer to [`ControlRequest::Standing`].
pub(super) type StandingAnswer = Who;

/// Why a command for the control group was not applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum ControlRejection {
    /// As [`Rejection::NotLeader`].
    NotLeader(Option<NodeId>),
    /// Something else.
    Failed(ControlError),
}

/// The answer to a [`ControlRequest`].
pub(super) type ControlAnswer = Result<ControlApplied, ControlRejection>;

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Bytes, Arc<str>> {
    codec::encode(value).map(Bytes::from).map_err(|error| Arc::from(error.to_string()))
}

pub(super) fn encode_request<R: MeshRequest>(request: &R) -> Result<Bytes, Arc<str>> {
    ports::encode_request(request).map(Bytes::from).map_err(|error| Arc::from(error.to_string()))
}

pub(super) fn decode_request<R: MeshRequest>(frame: &[u8]) -> Result<R, Arc<str>> {
    ports::decode_request(frame).map_err(|error| Arc::from(error.to_string()))
}

pub(super) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, Arc<str>> {
    codec::decode(frame).map_err(|error| Arc::from(format!("the frame cannot be read: {error}")))
}
