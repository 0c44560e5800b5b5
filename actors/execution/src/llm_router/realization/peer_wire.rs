//! What nodes say to each other about models.
//!
//! Variants and fields are only ever appended: their order is their encoding.

use bytes::Bytes;
use octopussy_core::codec::{self, CodecError};
use octopussy_core::ports::{ChatRequest, Completion, LlmError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A model that a node lends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lent {
    /// The provider's name there.
    pub(super) provider: String,
    /// The model.
    pub(super) model: String,
}

/// The first frame of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PeerCall {
    /// Whom to ask.
    pub(super) lent: Lent,
    /// What to ask, with what is left of the caller's deadline as its timeout.
    pub(super) request: ChatRequest,
}

/// The frames of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum PeerAnswer {
    /// A piece, as the model speaks.
    Piece(String),
    /// The end.
    Done(Completion),
    /// The other end.
    Failed(LlmError),
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Bytes, CodecError> {
    codec::encode(value).map(Bytes::from)
}

pub(super) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, CodecError> {
    codec::decode(frame)
}
