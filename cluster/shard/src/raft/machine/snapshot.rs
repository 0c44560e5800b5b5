//! Snapshots as files.

use bytes::Bytes;

/// A snapshot could not be made, read or written. Nothing but the file is affected; asking for a new one may help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// The state has moved on since the snapshot was asked for: ask anew.
    #[error("the state has moved on since the snapshot was asked for")]
    Stale,
    /// The file cannot be read or written.
    #[error("the snapshot's file cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// The state store cannot be read.
    #[error("the state cannot be read: {0}")]
    Store(std::sync::Arc<str>),
    /// What was received is not what was sent.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
}

/// A snapshot of a group: made when it is first read, or received. Its file is removed when this is dropped.
pub(crate) struct SnapshotFile {}

impl SnapshotFile {
    /// Makes the file unless it is there already, and opens it from its beginning. [`SnapshotError::Stale`] when the state
    /// has moved on since the snapshot was asked for.
    pub(crate) async fn read(&mut self) -> Result<SnapshotReader, SnapshotError> {
        todo!()
    }
}

/// Reads a snapshot's file.
pub(crate) struct SnapshotReader {}

impl SnapshotReader {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        todo!()
    }

    /// The next bytes, at most `limit`; none at the end.
    pub(crate) async fn next(&mut self, limit: usize) -> Result<Option<Bytes>, SnapshotError> {
        todo!()
    }
}

/// Writes a snapshot's file as it is received. Its file is removed when this is dropped unfinished.
pub(crate) struct SnapshotWriter {}

impl SnapshotWriter {
    /// Appends what was received.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), SnapshotError> {
        todo!()
    }

    /// All has been received: verifies it. The answer is for `Raft::install_full_snapshot`.
    pub(crate) async fn finish(self) -> Result<SnapshotFile, SnapshotError> {
        todo!()
    }
}
