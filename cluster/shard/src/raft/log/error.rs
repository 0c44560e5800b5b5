//! Why the logs cannot be opened or written.

use octopussy_store::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// The logs cannot be opened; what is on the disk is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogOpenError {
    /// The store cannot be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored record cannot be read.
    #[error("a record of '{}' cannot be read: {detail}", path.display())]
    Record {
        /// The store.
        path: PathBuf,
        /// Which, and why.
        detail: String,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the thread of the log: {0}")]
    Thread(io::Error),
}

impl LogOpenError {
    /// Whether another process has the store open. One that was just killed lets go of it a moment later.
    #[cfg(test)]
    pub(crate) const fn is_locked(&self) -> bool {
        matches!(self, Self::Store(StoreError::Locked { .. }))
    }

    pub(super) fn record(path: &Path, detail: impl Into<String>) -> Self {
        Self::Record { path: path.to_path_buf(), detail: detail.into() }
    }
}

/// What a caller hears once the logs are closed: nothing more is written, whether what was in line is there is not known.
pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the log is closed")
}
