//! What nodes say to each other about blobs. Variants and fields are only ever appended: their order is their encoding,
//! behind the version byte of the codec.

use bytes::Bytes;
use octopussy_core::codec;
use octopussy_core::ids::BlobId;
use octopussy_core::ports::{self, MeshRequest, RequestKind, StreamKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;

/// A question on the lane of blobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Is this blob there, whole?
    Has(BlobId),
    /// The same; one that is there counts as stored again.
    Renew(BlobId),
    /// Which of these does a shard there name that are not there?
    Missing(Vec<BlobId>),
}

impl MeshRequest for Question {
    fn kind(&self) -> RequestKind {
        match self {
            Self::Has(_) | Self::Renew(_) | Self::Missing(_) => RequestKind::BlobQuestion,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It is, or it is not.
    Has(bool),
    /// These.
    Missing(Vec<BlobId>),
}

/// The first frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Opening {
    /// A content follows, to be stored.
    Put {
        /// Its name.
        id: BlobId,
        /// Its length.
        bytes: u64,
    },
    /// A content is wanted.
    Get(BlobId),
}

impl Opening {
    /// The kind of stream that it opens.
    pub(crate) const fn stream(&self) -> StreamKind {
        match self {
            Self::Put { .. } => StreamKind::BlobPut,
            Self::Get(_) => StreamKind::BlobGet,
        }
    }
}

/// The first frame back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The content is stored, durably.
    Stored,
    /// The content follows, so many bytes.
    Content(u64),
    /// The blob is not there.
    Missing,
    /// It was not done, in words.
    Failed(String),
}

pub(crate) fn encode<T: Serialize>(value: &T) -> io::Result<Bytes> {
    codec::encode(value).map(Bytes::from).map_err(io::Error::other)
}

pub(crate) fn encode_request<R: MeshRequest>(request: &R) -> io::Result<Bytes> {
    ports::encode_request(request).map(Bytes::from).map_err(io::Error::other)
}

pub(crate) fn decode_request<R: MeshRequest>(frame: &[u8]) -> io::Result<R> {
    ports::decode_request(frame).map_err(io::Error::other)
}

pub(crate) fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    codec::decode(frame).map_err(io::Error::other)
}
