//! A content as frames of a stream.

use crate::limits::CHUNK_BYTES;
use bytes::{Bytes, BytesMut};
use octopussy_core::ids::BlobId;
use octopussy_core::ports::{FrameSink, FrameSource, MAX_BLOB_BYTES};
use std::io;

/// Sends a content in chunks.
pub(crate) async fn send(sink: &mut dyn FrameSink, mut content: Bytes) -> io::Result<()> {
    while !content.is_empty() {
        let chunk = content.split_to(content.len().min(CHUNK_BYTES));
        sink.send(chunk).await.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Receives a content of the announced length and checks it against its name.
pub(crate) async fn receive(source: &mut dyn FrameSource, id: BlobId, announced: u64) -> io::Result<Bytes> {
    let length = usize::try_from(announced).ok().filter(|length| *length <= MAX_BLOB_BYTES);
    let length =
        length.ok_or_else(|| io::Error::other(format!("{announced} bytes are announced, more than a blob has")))?;
    // Grows with what really comes: an announcement costs its sender nothing.
    let mut content = BytesMut::new();
    while content.len() < length {
        let chunk = next(source).await?;
        if chunk.is_empty() || content.len() + chunk.len() > length {
            return Err(io::Error::other("the content does not have the announced length"));
        }
        content.extend_from_slice(&chunk);
    }
    let content = content.freeze();
    if BlobId::of(&content) == id { Ok(content) } else { Err(io::Error::other("the content does not match its name")) }
}

/// The next frame, which has to be there.
pub(crate) async fn next(source: &mut dyn FrameSource) -> io::Result<Bytes> {
    let frame = source.next().await.map_err(io::Error::other)?;
    frame.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}
