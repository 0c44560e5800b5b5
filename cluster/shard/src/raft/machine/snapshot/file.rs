//! A snapshot of a group.

use super::super::group_record::SnapshotMeta;
use super::super::shared::Shared;
use super::error::blocking;
use super::temporary::TemporaryFile;
use super::{Progress, SnapshotError, SnapshotReader, image};
use crate::raft::GroupId;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Where a snapshot's content comes from.
enum Source {
    /// From the stored state, as long as that is what was promised.
    State { shared: Arc<Shared>, group: GroupId, meta: Box<SnapshotMeta> },
    /// It is there.
    File(Arc<TemporaryFile>),
}

/// A snapshot of a group: made when it is first read, or received. Its file is removed when this is dropped.
pub(crate) struct SnapshotFile {
    source: Source,
    progress: Progress,
}

impl fmt::Debug for SnapshotFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::State { group, meta, .. } => write!(f, "SnapshotFile(group {group}, {meta})"),
            Source::File(file) => write!(f, "SnapshotFile({})", file.path().display()),
        }
    }
}

impl SnapshotFile {
    /// The stored state of `group`, of which `meta` speaks.
    pub(in super::super) fn of_state(shared: Arc<Shared>, group: GroupId, meta: SnapshotMeta) -> Self {
        Self { source: Source::State { shared, group, meta: Box::new(meta) }, progress: Progress::default() }
    }

    /// A file that was received and verified.
    pub(in super::super) fn received(file: TemporaryFile, progress: Progress) -> Self {
        Self { source: Source::File(Arc::new(file)), progress }
    }

    /// Counts what is installed of it.
    pub(in super::super) fn progress(&self) -> Progress {
        Arc::clone(&self.progress)
    }

    /// Makes the file unless it is there already, and opens it from its beginning. [`SnapshotError::Stale`] when the state
    /// has moved on since the snapshot was asked for: another one is to be asked for.
    pub(crate) async fn read(&mut self) -> Result<SnapshotReader, SnapshotError> {
        SnapshotReader::open(self.file().await?.path()).await
    }

    async fn file(&mut self) -> Result<Arc<TemporaryFile>, SnapshotError> {
        let file = match &self.source {
            Source::File(file) => return Ok(Arc::clone(file)),
            Source::State { shared, group, meta } => {
                let (shared, group, meta) = (Arc::clone(shared), *group, meta.clone());
                blocking(move || {
                    let number = shared.snapshots.fetch_add(1, Ordering::Relaxed);
                    let file = TemporaryFile::new(&shared.config.dir, group, number);
                    image::write(&shared, group, &meta, &file)?;
                    Ok(file)
                })
                .await?
            }
        };
        let file = Arc::new(file);
        self.source = Source::File(Arc::clone(&file));
        Ok(file)
    }

    /// Makes the file unless it is there already; `action` works on it on a thread of its own.
    pub(crate) async fn with_path<T: Send + 'static>(
        &mut self,
        action: impl FnOnce(&Path) -> Result<T, SnapshotError> + Send + 'static,
    ) -> Result<T, SnapshotError> {
        let file = self.file().await?;
        blocking(move || action(file.path())).await
    }
}
