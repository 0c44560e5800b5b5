//! The heads of requests and answers.

use bytes::{Buf, Bytes};
use std::time::Duration;

/// How long the head of a request is: the longest head there is.
pub(crate) const REQUEST_HEAD: usize = 12;

/// How long the head of an answer is.
const ANSWER_HEAD: usize = 9;

/// The head of a request.
pub(crate) fn request_head(id: u64, within: Duration) -> [u8; REQUEST_HEAD] {
    let millis = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
    let mut head = [0; REQUEST_HEAD];
    head[..8].copy_from_slice(&id.to_le_bytes());
    head[8..].copy_from_slice(&millis.to_le_bytes());
    head
}

/// Takes a request apart; `None` when it is too short to be one.
pub(crate) fn request(mut frame: Bytes) -> Option<(u64, Duration, Bytes)> {
    let id = frame.try_get_u64_le().ok()?;
    let within = Duration::from_millis(frame.try_get_u32_le().ok()?.into());
    Some((id, within, frame))
}

/// What a frame of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The answer, or the last piece of it.
    Answer,
    /// The reason why the request was not carried out.
    Refusal,
    /// The reason why there is no answer to a request that may have been carried out.
    Silence,
    /// A piece of a long answer; more follows.
    Piece,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Answer, Self::Refusal, Self::Silence, Self::Piece];
}

/// The head of a frame of an answer.
pub(crate) fn answer_head(id: u64, kind: Kind) -> [u8; ANSWER_HEAD] {
    let mut head = [kind as u8; ANSWER_HEAD];
    head[..8].copy_from_slice(&id.to_le_bytes());
    head
}

/// Takes a frame of an answer apart.
pub(crate) fn answer(mut frame: Bytes) -> Option<(u64, Kind, Bytes)> {
    let id = frame.try_get_u64_le().ok()?;
    let kind = frame.try_get_u8().ok()?;
    Some((id, *Kind::ALL.get(usize::from(kind))?, frame))
}
