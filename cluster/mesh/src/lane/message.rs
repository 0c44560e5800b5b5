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

/// The head of an answer.
pub(crate) fn answer_head(id: u64, carried_out: bool) -> [u8; ANSWER_HEAD] {
    let mut head = [u8::from(!carried_out); ANSWER_HEAD];
    head[..8].copy_from_slice(&id.to_le_bytes());
    head
}

/// Takes an answer apart: its number, and the content or the reason of a refusal.
pub(crate) fn answer(mut frame: Bytes) -> Option<(u64, Result<Bytes, Bytes>)> {
    let id = frame.try_get_u64_le().ok()?;
    match frame.try_get_u8().ok()? {
        0 => Some((id, Ok(frame))),
        1 => Some((id, Err(frame))),
        2..=u8::MAX => None,
    }
}
