use crate::address;
use crate::bounds::harmless;
use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Deserializable, Serializable};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameHandler, MeshPort};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The first byte of every message.
const FORMAT: u8 = 1;

/// How many messages may wait to be read. A node gets a few a second; what does not fit is dropped and told again.
const INBOX: usize = 256;

/// Takes the mesh's one-way messages.
pub(crate) struct Inbox(mpsc::Sender<(NodeId, Bytes)>);

impl FrameHandler for Inbox {
    fn handle(&self, from: NodeId, frame: Bytes) {
        if self.0.try_send((from, frame)).is_err() {
            tracing::debug!(node = %from, "a message with facts was dropped");
        }
    }
}

/// Chitchat's transport over the mesh.
pub(crate) struct MeshTransport {
    mesh: Arc<dyn MeshPort>,
    received: Mutex<Option<mpsc::Receiver<(NodeId, Bytes)>>>,
}

impl MeshTransport {
    /// A transport, and what it is to be fed with.
    pub(crate) fn new(mesh: Arc<dyn MeshPort>) -> (Self, Arc<Inbox>) {
        let (sender, receiver) = mpsc::channel(INBOX);
        (Self { mesh, received: Mutex::new(Some(receiver)) }, Arc::new(Inbox(sender)))
    }
}

#[async_trait]
impl Transport for MeshTransport {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let received = self.received.lock().take().context("the transport is opened once")?;
        Ok(Box::new(MeshSocket { mesh: Arc::clone(&self.mesh), received }))
    }
}

struct MeshSocket {
    mesh: Arc<dyn MeshPort>,
    received: mpsc::Receiver<(NodeId, Bytes)>,
}

#[async_trait]
impl Socket for MeshSocket {
    /// Never fails and never waits: what cannot be sent now is told again in a later round.
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        if let Some(node) = address::node_of(to) {
            let mut frame = vec![FORMAT];
            message.serialize(&mut frame);
            let _ = self.mesh.gossip(node, frame.into());
        }
        Ok(())
    }

    /// Fails only when the mesh has let go of the handler, which it does when it stops.
    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            let (from, frame) = self.received.recv().await.context("the mesh has stopped")?;
            match read(&frame) {
                Some(message) => return Ok((address::of_node(from), message)),
                None => tracing::debug!(node = %from, "a message with facts cannot be read"),
            }
        }
    }
}

/// The message in a frame; `None` when there is none that can be read without harm.
pub(crate) fn read(frame: &[u8]) -> Option<ChitchatMessage> {
    match frame.split_first() {
        Some((&FORMAT, mut body)) if harmless(body) => ChitchatMessage::deserialize(&mut body).ok(),
        Some(_) | None => None,
    }
}
