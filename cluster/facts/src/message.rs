//! What a node tells of itself, in bytes.

use crate::records::{LoadRecord, MAX_FACTS_BYTES, NodeRecord};
use octopussy_core::codec::{self, CodecError};
use serde::{Deserialize, Serialize};

/// The first byte of every message.
const FORMAT: u8 = 2;

/// The longest message: the facts, and what is around them.
const MAX_MESSAGE_BYTES: usize = MAX_FACTS_BYTES + 64;

/// What a node tells of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Which of its lives tells it.
    pub(crate) boot: u64,
    /// Grows with every change: messages may overtake each other.
    pub(crate) number: u64,
    /// What rarely changes; absent when it has not.
    pub(crate) node: Option<NodeRecord>,
    /// What changes all the time.
    pub(crate) load: LoadRecord,
}

pub(crate) fn write(told: &Told) -> Result<Vec<u8>, CodecError> {
    codec::encode_behind(FORMAT, told)
}

/// The message in a frame; `None` when there is none that may be read.
pub(crate) fn read(frame: &[u8]) -> Option<Told> {
    match frame.split_first() {
        Some((&FORMAT, body)) if frame.len() <= MAX_MESSAGE_BYTES => {
            codec::decode::<Told>(body).ok().filter(|told| told.load.is_plausible())
        }
        Some(_) | None => None,
    }
}
