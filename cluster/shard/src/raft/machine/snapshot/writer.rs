//! Writes a snapshot's file, as it is received.

use super::super::group_record::SnapshotMeta;
use super::error::blocking;
use super::format::ImageReader;
use super::temporary::TemporaryFile;
use super::{Progress, SnapshotError, SnapshotFile};
use crate::raft::GroupId;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// Writes a snapshot's file as it is received. It is removed when this is dropped unfinished.
pub(crate) struct SnapshotWriter {
    // Closed before it is removed.
    file: File,
    place: TemporaryFile,
    group: GroupId,
    progress: Progress,
}

impl SnapshotWriter {
    pub(in super::super) async fn create(dir: &Path, group: GroupId, number: u64) -> Result<Self, SnapshotError> {
        let place = TemporaryFile::new(dir, group, number);
        let file = File::create_new(place.path()).await?;
        Ok(Self { file, place, group, progress: Progress::default() })
    }

    /// Appends what was received.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), SnapshotError> {
        Ok(self.file.write_all(&bytes).await?)
    }

    /// Counts the bytes that are verified and installed, once all has been received.
    pub(crate) fn progress(&self) -> Progress {
        Arc::clone(&self.progress)
    }

    /// All has been received: verifies it. The answer is for `Raft::install_full_snapshot`.
    pub(crate) async fn finish(mut self) -> Result<SnapshotFile, SnapshotError> {
        self.file.flush().await?;
        let (place, group, progress) = (self.place, self.group, self.progress);
        blocking(move || verified(place, group, progress).map(|(file, _)| file)).await
    }
}

/// Reads a file to its end, and answers with it and what it says of itself when it is a whole snapshot of the group.
pub(in super::super) fn verified(
    place: TemporaryFile,
    group: GroupId,
    progress: Progress,
) -> Result<(SnapshotFile, SnapshotMeta), SnapshotError> {
    let mut image = ImageReader::open(place.path())?;
    if image.head().group != group {
        return Err(SnapshotError::damaged("it is of another group"));
    }
    let meta = image.head().meta.clone();
    while let Some((_, key, value)) = image.next()? {
        progress.fetch_add((key.len() + value.len()) as u64, Ordering::Relaxed);
    }
    Ok((SnapshotFile::received(place, progress), meta))
}
