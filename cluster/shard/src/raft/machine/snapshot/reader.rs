//! Reads a snapshot's file, to send it.

use super::SnapshotError;
use bytes::{Bytes, BytesMut};
use std::path::Path;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// Reads a snapshot's file from its beginning to its end.
pub(crate) struct SnapshotReader {
    file: File,
    length: u64,
}

impl SnapshotReader {
    pub(super) async fn open(path: &Path) -> Result<Self, SnapshotError> {
        let file = File::open(path).await?;
        let length = file.metadata().await?.len();
        Ok(Self { file, length })
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// The next bytes, at most `limit`; none at the end.
    pub(crate) async fn next(&mut self, limit: usize) -> Result<Option<Bytes>, SnapshotError> {
        let mut bytes = BytesMut::with_capacity(limit);
        while bytes.len() < limit {
            let left = u64::try_from(limit - bytes.len()).unwrap_or(u64::MAX);
            if (&mut self.file).take(left).read_buf(&mut bytes).await? == 0 {
                break;
            }
        }
        Ok((!bytes.is_empty()).then(|| bytes.freeze()))
    }
}
