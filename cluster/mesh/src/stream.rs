//! Streams of frames for one purpose, over QUIC.

use crate::limits::{PURPOSE_STREAMS, STREAM_LIMIT};
use crate::refusal::STREAM_DROPPED;
use crate::wire::{FrameReader, ReadFailure, reset_reason};
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameSink, FrameSource, MAX_FRAME_BYTES, MeshError, MeshStream, StreamKind};
use quinn::{Connection, SendStream, VarInt, WriteError};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The permits for streams of one peer.
pub(crate) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(PURPOSE_STREAMS))
}

/// Opens a stream, waiting for a while when there are too many.
pub(crate) async fn open(
    peer: NodeId,
    kind: StreamKind,
    connection: &Connection,
    permits: Arc<Semaphore>,
) -> Result<MeshStream, MeshError> {
    let opening = async {
        let permit = permits.acquire_owned().await.map_err(|_| MeshError::Stopping)?;
        let (mut send, receive) = connection.open_bi().await.map_err(|_| MeshError::NotConnected(peer))?;
        let _closed = send.set_priority(crate::lane::stream_priority(kind));
        send.write_all(&[kind.tag()]).await.map_err(|_| MeshError::Lost(peer))?;
        Ok(wrap(peer, send, FrameReader::new(receive, MAX_FRAME_BYTES), Some(permit)))
    };
    tokio::time::timeout(STREAM_LIMIT, opening).await.unwrap_or(Err(MeshError::Congested(peer)))
}

/// Makes a stream of frames of the two halves of a stream of bytes.
pub(crate) fn wrap(
    peer: NodeId,
    send: SendStream,
    reader: FrameReader,
    permit: Option<OwnedSemaphorePermit>,
) -> MeshStream {
    let permit = Arc::new(permit);
    MeshStream {
        sink: Box::new(Sink { peer, stream: send, finished: false, writing: false, _permit: permit.clone() }),
        source: Box::new(Source { peer, reader, _permit: permit }),
    }
}

fn broken(peer: NodeId, code: VarInt) -> MeshError {
    match reset_reason(code) {
        Some(reason) => MeshError::Refused { node: peer, reason: Arc::from(reason) },
        None => MeshError::Lost(peer),
    }
}

/// The permit is free when both halves are gone.
type Permit = Arc<Option<OwnedSemaphorePermit>>;

struct Sink {
    peer: NodeId,
    stream: SendStream,
    finished: bool,
    /// A frame is being written, or was when its future was dropped: the stream cannot go on after half a frame.
    writing: bool,
    _permit: Permit,
}

#[async_trait]
impl FrameSink for Sink {
    async fn send(&mut self, frame: Bytes) -> Result<(), MeshError> {
        if frame.len() > MAX_FRAME_BYTES {
            return Err(MeshError::TooLarge { actual: frame.len(), limit: MAX_FRAME_BYTES });
        }
        if std::mem::replace(&mut self.writing, true) {
            return Err(MeshError::Lost(self.peer));
        }
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut pieces = [Bytes::copy_from_slice(&length), frame];
        self.stream.write_all_chunks(&mut pieces).await.map_err(|error| match error {
            WriteError::Stopped(code) => broken(self.peer, code),
            WriteError::ConnectionLost(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => {
                MeshError::Lost(self.peer)
            }
        })?;
        self.writing = false;
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), MeshError> {
        if self.writing {
            return Err(MeshError::Lost(self.peer));
        }
        self.finished = true;
        self.stream.finish().map_err(|_| MeshError::Lost(self.peer))
    }
}

impl Drop for Sink {
    /// The peer has to tell a stream that was given up from one that ended.
    fn drop(&mut self) {
        if !self.finished {
            let _closed = self.stream.reset(STREAM_DROPPED);
        }
    }
}

struct Source {
    peer: NodeId,
    reader: FrameReader,
    _permit: Permit,
}

#[async_trait]
impl FrameSource for Source {
    async fn next(&mut self) -> Result<Option<Bytes>, MeshError> {
        self.reader.next().await.map_err(|failure| match failure {
            ReadFailure::Reset(code) => broken(self.peer, code),
            ReadFailure::Connection | ReadFailure::Truncated => MeshError::Lost(self.peer),
            ReadFailure::TooLong(length) => MeshError::TooLarge { actual: length.0, limit: MAX_FRAME_BYTES },
        })
    }
}
