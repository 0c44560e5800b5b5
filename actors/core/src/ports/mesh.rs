//! The mesh: authenticated, encrypted connections between the nodes of a cluster.

use super::MeshGuard;
use crate::contract::{Port, PortId};
use crate::ids::NodeId;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The longest frame on any lane or stream, in bytes. What is longer travels as several frames of a stream.
pub const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// The longest answer on a lane, in bytes; one that is longer than a frame travels in several. Far beyond the longest task, near
/// enough that no peer can fill this node's memory with one.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The longest datagram, in bytes: a QUIC packet of the size every path carries, minus its headers.
pub const MAX_DATAGRAM_BYTES: usize = 1_100;

/// One life of a node: a node that has been started again is a new incarnation of the same node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incarnation {
    /// Which node.
    pub node: NodeId,
    /// Its boot epoch: a number that grows with every start, kept in the node's data directory.
    pub boot: u64,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node, self.boot)
    }
}

macro_rules! tags {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $tag:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant = $tag,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The first byte of a stream of this kind.
            #[must_use]
            pub const fn tag(self) -> u8 { self as u8 }

            /// The kind a stream's first byte names.
            #[must_use]
            pub const fn from_tag(tag: u8) -> Option<Self> {
                match tag { $($tag => Some(Self::$variant),)* 0..=u8::MAX => None }
            }

            /// The name used in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $text,)* } }
        }
    };
}

tags! {
    /// A class of small requests and answers. Each has a long-lived multiplexed stream of its own to every peer, with a
    /// bounded window, so that no class waits behind another.
    Lane {
        /// Votes, pre-votes, coalesced heartbeats and leadership transfers. Highest priority.
        RaftVote = 0x10, "raft_vote";
        /// Log entries.
        RaftAppend = 0x11, "raft_append";
        /// Commands and reads forwarded to a shard's leader.
        Forward = 0x12, "forward";
        /// Cluster administration: group 0 proposals, membership's full states, drains.
        Control = 0x13, "control";
        /// Questions about blobs.
        Blob = 0x14, "blob";
        /// Full states of the membership protocol.
        Membership = 0x17, "membership";
        /// Messages to agents that another node hosts: control, from agent to agent.
        Agent = 0x16, "agent";
        /// Calls of models that run at another node.
        Model = 0x15, "model";
    }
}

tags! {
    /// A kind of stream that is opened for one purpose and closed after it.
    StreamKind {
        /// A snapshot of a group's state.
        Snapshot = 0x40, "snapshot";
        /// News on a topic, to a watcher at another node.
        Events = 0x41, "events";
        /// A blob's content that is to be stored.
        BlobPut = 0x42, "blob_put";
        /// A blob's content that is wanted.
        BlobGet = 0x43, "blob_get";
        /// A model's answer as it comes.
        Tokens = 0x44, "tokens";
    }
}

/// Something was not carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// There is no connection to the peer. Nothing was sent.
    #[error("node {0} is not connected")]
    NotConnected(NodeId),
    /// The peer's window is full. Nothing was sent.
    #[error("the way to node {0} is congested")]
    Congested(NodeId),
    /// The frame is longer than its bound. Nothing was sent.
    #[error("the frame has {actual} bytes, the limit is {limit}")]
    TooLarge {
        /// Its length.
        actual: usize,
        /// The bound.
        limit: usize,
    },
    /// No answer within the deadline. The peer may have carried out the request.
    #[error("node {0} did not answer in time")]
    Timeout(NodeId),
    /// The connection was lost after the request was sent. The peer may have carried it out.
    #[error("the connection to node {0} was lost")]
    Lost(NodeId),
    /// The peer does not serve this lane or kind of stream, or refused the frame. It was not carried out.
    #[error("node {node} refused: {reason}")]
    Refused {
        /// Who.
        node: NodeId,
        /// Why.
        reason: Arc<str>,
    },
    /// The mesh is stopping.
    #[error("the mesh is stopping")]
    Stopping,
    /// The peer has begun to carry out the request, and has no answer that could travel: its handler failed, or the answer is
    /// longer than its bound. It may have carried it out.
    #[error("node {node} has no answer: {reason}")]
    Unanswered {
        /// Who.
        node: NodeId,
        /// Why.
        reason: Arc<str>,
    },
}

/// Answers requests of peers on one lane.
pub trait LaneHandler: Send + Sync {
    /// Answers `request` of `from`. `within` is what is left of the caller's deadline. An error refuses the request without
    /// having carried it out. An answer has at most [`MAX_ANSWER_BYTES`].
    fn handle(&self, from: NodeId, request: Bytes, within: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>>;
}

/// Takes datagrams or one-way messages of peers. Must not block; what it cannot take it drops.
pub trait FrameHandler: Send + Sync {
    /// Takes one.
    fn handle(&self, from: NodeId, frame: Bytes);
}

/// The sending half of a stream of frames.
#[async_trait]
pub trait FrameSink: Send {
    /// Sends a frame, waiting while the peer's window is full.
    async fn send(&mut self, frame: Bytes) -> Result<(), MeshError>;
    /// Ends the stream; the peer sees its end after the last frame.
    async fn finish(&mut self) -> Result<(), MeshError>;
}

/// The receiving half of a stream of frames.
#[async_trait]
pub trait FrameSource: Send {
    /// The next frame; `None` after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, MeshError>;
}

/// A stream of frames in both directions.
pub struct MeshStream {
    /// To the peer.
    pub sink: Box<dyn FrameSink>,
    /// From the peer.
    pub source: Box<dyn FrameSource>,
}

impl fmt::Debug for MeshStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeshStream")
    }
}

/// Takes the streams of one kind that peers open.
pub trait StreamHandler: Send + Sync {
    /// Serves the stream; when the future ends, the stream is closed.
    fn handle(&self, from: NodeId, stream: MeshStream) -> BoxFuture<'static, ()>;
}

/// A peer as the mesh sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerView {
    /// Which life of which node.
    pub incarnation: Incarnation,
    /// Where it is connected from.
    pub address: SocketAddr,
    /// Round-trip time.
    pub rtt: Duration,
}

/// A connection came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerEvent {
    /// The peer is connected.
    Connected(Incarnation),
    /// Its connection was closed or timed out.
    Closed(Incarnation),
}

/// Is told of connections. Must not block.
pub trait PeerObserver: Send + Sync {
    /// One came or went.
    fn on_peer(&self, event: PeerEvent);
}

/// The mesh of a cluster, from one node. Sending to oneself is refused with [`MeshError::NotConnected`].
#[async_trait]
pub trait MeshPort: Send + Sync {
    /// This node, in its present life.
    fn incarnation(&self) -> Incarnation;

    /// Asks `to` on `lane` and waits for its answer, at most for `within`. The request is in line when this function returns.
    fn call(
        &self,
        to: NodeId,
        lane: Lane,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, MeshError>>;

    /// Sends a datagram. Unreliable; never blocks.
    fn datagram(&self, to: NodeId, frame: Bytes) -> Result<(), MeshError>;

    /// Sends a one-way message on a stream of its own: longer than a datagram may be, and as dispensable. Never blocks;
    /// dropped while there is no connection.
    fn gossip(&self, to: NodeId, frame: Bytes) -> Result<(), MeshError>;

    /// Opens a stream.
    async fn open(&self, to: NodeId, kind: StreamKind) -> Result<MeshStream, MeshError>;

    /// Serves a lane from now on; a later handler replaces an earlier one.
    fn serve(&self, lane: Lane, handler: Arc<dyn LaneHandler>);

    /// Serves a kind of stream from now on.
    fn serve_streams(&self, kind: StreamKind, handler: Arc<dyn StreamHandler>);

    /// Takes datagrams from now on.
    fn on_datagram(&self, handler: Arc<dyn FrameHandler>);

    /// Takes one-way messages from now on.
    fn on_gossip(&self, handler: Arc<dyn FrameHandler>);

    /// Has `guard` judge, from now on, who may connect and what whoever is connected may ask. A mesh that is guarded serves nobody
    /// before.
    fn guard(&self, guard: Arc<dyn MeshGuard>);

    /// Makes known where a node may be reached; connections to nodes with known addresses are made and kept.
    fn learn(&self, node: NodeId, addresses: &[SocketAddr]);

    /// Forgets a node that has left; its connection is closed.
    fn forget(&self, node: NodeId);

    /// The connected peers.
    fn peers(&self) -> Vec<PeerView>;

    /// Whether the peer is connected.
    fn is_connected(&self, node: NodeId) -> bool;

    /// Tells `observer` of connections from now on.
    fn observe(&self, observer: Arc<dyn PeerObserver>);
}

impl Port for dyn MeshPort {
    const ID: PortId = PortId::Mesh;
}
