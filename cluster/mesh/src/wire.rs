//! Frames on a stream: a length of four bytes, little-endian, then as many bytes.

use crate::refusal::{STREAM_BUSY, STREAM_FORBIDDEN, STREAM_MALFORMED, STREAM_UNSERVED};
use bytes::{Buf, Bytes, BytesMut};
use quinn::{RecvStream, VarInt};

/// Up to which length a payload is copied: into the batch that is written, and out of the batch that was read, so that a
/// small frame that is kept does not hold on to a large buffer.
const COPY_BYTES: usize = 4 * 1024;

/// How many pieces are taken from the connection under one lock.
const PIECES: usize = 32;

/// Frames that wait to be written, gathered into few pieces.
#[derive(Debug, Default)]
pub(crate) struct OutBuffer {
    pieces: Vec<Bytes>,
    tail: BytesMut,
    bytes: usize,
}

impl OutBuffer {
    /// Adds a frame that consists of `head` and `payload`.
    pub(crate) fn push(&mut self, head: &[u8], payload: Bytes) {
        let length = u32::try_from(head.len() + payload.len()).unwrap_or(u32::MAX);
        self.bytes += 4 + head.len() + payload.len();
        self.tail.extend_from_slice(&length.to_le_bytes());
        self.tail.extend_from_slice(head);
        if payload.len() <= COPY_BYTES {
            self.tail.extend_from_slice(&payload);
        } else {
            self.pieces.push(self.tail.split().freeze());
            self.pieces.push(payload);
        }
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes everything that waits.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        if !self.tail.is_empty() {
            self.pieces.push(self.tail.split().freeze());
        }
        self.bytes = 0;
        std::mem::take(&mut self.pieces)
    }
}

/// A frame is longer than its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong(pub(crate) usize);

/// Finds the frames in a stream of bytes. Holds at most one frame and what came with its end.
#[derive(Debug)]
pub(crate) struct FrameDecoder {
    buffer: BytesMut,
    limit: usize,
}

impl FrameDecoder {
    /// A decoder of frames of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether no part of a frame waits for its rest.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(TooLong(length));
        }
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(4);
        if length > COPY_BYTES {
            return Ok(Some(self.buffer.split_to(length).freeze()));
        }
        let frame = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        Ok(Some(frame))
    }
}

/// Why no more frames come.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    /// The peer reset the stream with this code.
    Reset(VarInt),
    /// The connection is lost.
    Connection,
    /// The peer announced a frame longer than the bound.
    TooLong(TooLong),
    /// The stream ended within a frame.
    Truncated,
}

/// Reads frames from a stream.
pub(crate) struct FrameReader {
    stream: RecvStream,
    decoder: FrameDecoder,
    pieces: [Bytes; PIECES],
}

impl FrameReader {
    /// Reads frames of at most `limit` bytes.
    pub(crate) fn new(stream: RecvStream, limit: usize) -> Self {
        Self { stream, decoder: FrameDecoder::new(limit), pieces: std::array::from_fn(|_| Bytes::new()) }
    }

    /// The next frame that has arrived already. A frame that is too long stops the stream.
    pub(crate) fn ready(&mut self) -> Result<Option<Bytes>, ReadFailure> {
        self.decoder.next().map_err(|error| {
            self.malformed();
            ReadFailure::TooLong(error)
        })
    }

    /// Waits for more; `false` when the stream has ended. Nothing is lost when the future is dropped.
    pub(crate) async fn fill(&mut self) -> Result<bool, ReadFailure> {
        let read = self.stream.read_chunks(&mut self.pieces).await.map_err(|error| match error {
            quinn::ReadError::Reset(code) => ReadFailure::Reset(code),
            quinn::ReadError::ConnectionLost(_)
            | quinn::ReadError::ClosedStream
            | quinn::ReadError::IllegalOrderedRead
            | quinn::ReadError::ZeroRttRejected => ReadFailure::Connection,
        })?;
        let Some(count) = read else {
            return if self.decoder.is_empty() { Ok(false) } else { Err(ReadFailure::Truncated) };
        };
        for piece in &mut self.pieces[..count] {
            self.decoder.push(&std::mem::take(piece));
        }
        Ok(true)
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadFailure> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Tells the peer that its frames cannot be read.
    pub(crate) fn malformed(&mut self) {
        let _ended_already = self.stream.stop(STREAM_MALFORMED);
    }
}

/// What a peer means by resetting or stopping a stream.
pub(crate) fn reset_reason(code: VarInt) -> Option<&'static str> {
    match code {
        code if code == STREAM_UNSERVED => Some(crate::limits::STREAM_NOT_SERVED),
        code if code == STREAM_FORBIDDEN => Some(crate::limits::REQUEST_FORBIDDEN),
        code if code == STREAM_BUSY => Some("too many streams"),
        code if code == STREAM_MALFORMED => Some("the frames were malformed or too long"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever was pushed comes out again, in whatever pieces it travels.
        #[test]
        fn frames_survive_any_cutting(
            frames in proptest::collection::vec((0usize..8, 0usize..9_000), 1..20),
            cut in 1usize..5_000,
        ) {
            let mut out = OutBuffer::default();
            for (head, length) in &frames {
                out.push(&vec![7; *head], Bytes::from(vec![9; *length]));
            }
            let bytes = out.bytes();
            let wire: Vec<u8> = out.take().concat();
            prop_assert_eq!(bytes, wire.len());
            prop_assert!(out.take().is_empty());
            let mut decoder = FrameDecoder::new(10_000);
            let mut found = Vec::new();
            for piece in wire.chunks(cut) {
                decoder.push(piece);
                while let Some(frame) = decoder.next().unwrap() {
                    found.push(frame);
                }
            }
            prop_assert!(decoder.is_empty());
            prop_assert_eq!(found.len(), frames.len());
            for (frame, (head, length)) in found.iter().zip(&frames) {
                prop_assert_eq!(frame.len(), head + length);
                prop_assert!(frame[..*head].iter().all(|byte| *byte == 7));
                prop_assert!(frame[*head..].iter().all(|byte| *byte == 9));
            }
        }

        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = FrameDecoder::new(100);
            decoder.push(&bytes);
            while let Ok(Some(frame)) = decoder.next() {
                prop_assert!(frame.len() <= 100);
            }
        }
    }

    #[test]
    fn a_frame_above_the_bound_is_refused_before_it_has_arrived() {
        let mut decoder = FrameDecoder::new(10);
        decoder.push(&11u32.to_le_bytes());
        assert_eq!(decoder.next(), Err(TooLong(11)));
    }
}
