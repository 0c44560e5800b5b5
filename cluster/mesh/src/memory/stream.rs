//! Streams of frames in memory.

use super::node::check_size;
use super::shared::Shared;
use crate::limits::{STREAM_FRAMES, STREAM_NOT_SERVED};
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameSink, FrameSource, MAX_FRAME_BYTES, MeshError, MeshStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A frame, or the end of the stream, and when it arrives.
type Item = (Instant, Option<Bytes>);

/// One direction of one connection.
#[derive(Clone)]
struct Way {
    network: Weak<Shared>,
    from: NodeId,
    to: NodeId,
    number: u64,
    /// Set when the peer does not serve streams of this kind.
    refused: Refused,
}

/// Whether a stream was refused.
pub(super) type Refused = Arc<AtomicBool>;

/// Both ends of a new stream on the connection of that number: the opener's, and the peer's, with what refuses it.
pub(super) fn pair(network: &Weak<Shared>, from: NodeId, to: NodeId, number: u64) -> (MeshStream, MeshStream, Refused) {
    let refused = Refused::default();
    let there = Way { network: network.clone(), from, to, number, refused: refused.clone() };
    let back = Way { network: network.clone(), from: to, to: from, number, refused: refused.clone() };
    let (there_sink, there_source) = half(&there);
    let (back_sink, back_source) = half(&back);
    (
        MeshStream { sink: Box::new(there_sink), source: Box::new(back_source) },
        MeshStream { sink: Box::new(back_sink), source: Box::new(there_source) },
        refused,
    )
}

fn half(way: &Way) -> (Sink, Source) {
    let (sender, receiver) = mpsc::channel(STREAM_FRAMES);
    let source = Source { way: way.clone(), receiver, ended: false };
    (Sink { way: way.clone(), sender: Some(sender), last: None }, source)
}

impl Way {
    /// Why the other end is gone while the connection is not.
    fn reset(&self, peer: NodeId) -> MeshError {
        if self.refused.load(Ordering::Acquire) {
            MeshError::Refused { node: peer, reason: Arc::from(STREAM_NOT_SERVED) }
        } else {
            MeshError::Lost(peer)
        }
    }

    fn shared(&self, peer: NodeId) -> Result<Arc<Shared>, MeshError> {
        let shared = self.network.upgrade().ok_or(MeshError::Stopping)?;
        if shared.connection(self.from, self.to) == Some(self.number) { Ok(shared) } else { Err(MeshError::Lost(peer)) }
    }

    /// Ends when the connection does.
    async fn lost(&self, peer: NodeId) -> MeshError {
        loop {
            let mut changes = match self.shared(peer) {
                Ok(shared) => shared.changes.subscribe(),
                Err(error) => return error,
            };
            // Looked at again after subscribing, so that a change in between is not missed.
            if let Err(error) = self.shared(peer) {
                return error;
            }
            let _network_ended = changes.changed().await;
        }
    }

    /// Waits until the way is open; fails when the connection ends first.
    async fn passable(&self, peer: NodeId) -> Result<(), MeshError> {
        loop {
            let mut changes = self.shared(peer)?.changes.subscribe();
            if self.shared(peer)?.is_way_open(self.from, self.to) {
                return Ok(());
            }
            let _network_ended = changes.changed().await;
        }
    }
}

struct Sink {
    way: Way,
    sender: Option<mpsc::Sender<Item>>,
    last: Option<Instant>,
}

impl Sink {
    async fn put(&mut self, frame: Option<Bytes>) -> Result<(), MeshError> {
        let peer = self.way.to;
        let arrival = self.way.shared(peer)?.arrival();
        let due = self.last.map_or(arrival, |last| last.max(arrival));
        self.last = Some(due);
        let Some(sender) = &self.sender else { return Err(MeshError::Lost(peer)) };
        tokio::select! {
            biased;
            sent = sender.send((due, frame)) => sent.map_err(|_| self.way.reset(peer)),
            error = self.way.lost(peer) => Err(error),
        }
    }
}

#[async_trait]
impl FrameSink for Sink {
    async fn send(&mut self, frame: Bytes) -> Result<(), MeshError> {
        check_size(frame.len(), MAX_FRAME_BYTES)?;
        self.put(Some(frame)).await
    }

    async fn finish(&mut self) -> Result<(), MeshError> {
        self.put(None).await?;
        self.sender = None;
        Ok(())
    }
}

struct Source {
    way: Way,
    receiver: mpsc::Receiver<Item>,
    ended: bool,
}

#[async_trait]
impl FrameSource for Source {
    async fn next(&mut self) -> Result<Option<Bytes>, MeshError> {
        let peer = self.way.from;
        if self.ended {
            return Ok(None);
        }
        let item = tokio::select! {
            biased;
            item = self.receiver.recv() => item,
            error = self.way.lost(peer) => return Err(error),
        };
        // A sink that is dropped before it finished resets the stream.
        let (due, frame) = item.ok_or_else(|| self.way.reset(peer))?;
        let left = due.saturating_duration_since(self.way.shared(peer)?.time.now());
        tokio::select! {
            biased;
            () = tokio::time::sleep(left) => {}
            error = self.way.lost(peer) => return Err(error),
        }
        self.way.passable(peer).await?;
        self.ended = frame.is_none();
        Ok(frame)
    }
}
