//! Content-addressed storage for what is too large for the log.

use crate::contract::{Port, PortId};
use crate::ids::BlobId;
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

/// The largest blob, in bytes.
pub const MAX_BLOB_BYTES: usize = 32 * 1024 * 1024;

/// A blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Too large; nothing was stored.
    #[error("the blob has {actual} bytes, the limit is {MAX_BLOB_BYTES}")]
    TooLarge {
        /// Its size.
        actual: usize,
    },
    /// The stored content is not what its name says; it was not returned.
    #[error("blob {0} is damaged on disk: its content does not match its name")]
    Damaged(BlobId),
    /// The disk is full; nothing was stored.
    #[error("the disk is full")]
    DiskFull,
    /// The file system failed; nothing was stored.
    #[error("the blob store failed")]
    Io(#[source] std::io::Error),
}

/// Stores blobs durably.
#[async_trait]
pub trait BlobPort: Send + Sync {
    /// Stores `content`; when this returns it survives a crash. Storing the same content again is free.
    async fn put(&self, content: Bytes) -> Result<BlobId, BlobError>;

    /// The content, checked against its name; `None` when it is not here.
    async fn get(&self, id: BlobId) -> Result<Option<Bytes>, BlobError>;

    /// Whether the blob is here, whole. One that is counts as stored again, so that it is not taken for forgotten.
    async fn renew(&self, id: BlobId) -> Result<bool, BlobError> {
        match self.get(id).await? {
            Some(content) => self.put(content).await.map(|_| true),
            None => Ok(false),
        }
    }

    /// The blobs here that were last stored longer than `age` ago. A store that removes nothing names none.
    async fn older_than(&self, _age: Duration) -> Result<Vec<BlobId>, BlobError> {
        Ok(Vec::new())
    }

    /// Removes the blob from this store, unless it was stored again within `age`. Says whether it was removed.
    async fn remove(&self, _id: BlobId, _age: Duration) -> Result<bool, BlobError> {
        Ok(false)
    }
}

impl Port for dyn BlobPort {
    const ID: PortId = PortId::Blobs;
}
