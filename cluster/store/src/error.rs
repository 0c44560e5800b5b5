//! What can go wrong with a store.

use std::io;
use std::path::{Path, PathBuf};

/// A store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no space left. A commit that met this is not acknowledged; reopen the store before the next.
    #[error("the disk that holds '{}' is full: free some space on it", path.display())]
    DiskFull {
        /// The store.
        path: PathBuf,
    },
    /// A newer build wrote it; nothing was touched.
    #[error(
        "'{}' has format version {found}, this build reads up to {supported}: start a newer octopussy, or restore a backup that this version made",
        path.display()
    )]
    NewerVersion {
        /// The store.
        path: PathBuf,
        /// What was found.
        found: u32,
        /// What this build knows.
        supported: u32,
    },
    /// An older build wrote it, in a format that this build cannot read; nothing was touched.
    #[error(
        "'{}' has format version {found}, this build reads version {supported}: go on with the octopussy that wrote it, or start this one with another home directory (--home DIR)",
        path.display()
    )]
    OlderVersion {
        /// The store.
        path: PathBuf,
        /// What was found.
        found: u32,
        /// What this build knows.
        supported: u32,
    },
    /// Another process has it open; nothing was touched.
    #[error(
        "'{}' is in use by another process: stop the octopussy that runs on this home directory, or start this one with another --home",
        path.display()
    )]
    Locked {
        /// The store.
        path: PathBuf,
    },
    /// Its content contradicts itself.
    #[error("'{}' is damaged ({detail}): restore it from a backup", path.display())]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// This build was made without the engine.
    #[error(
        "the storage engine '{engine}' is not part of this build: use 'redb', or build with the feature '{feature}'"
    )]
    EngineMissing {
        /// The engine's name.
        engine: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// An earlier commit failed; reopen the store.
    #[error("an earlier write to '{}' failed: it must be reopened", path.display())]
    Failed {
        /// The store.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("cannot read or write '{}': {source}", path.display())]
    Io {
        /// The store.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StoreError {
    /// The error for a failed file operation at `path`; a full disk (or quota) is told apart.
    #[must_use]
    pub fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        let full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        if full { Self::DiskFull { path } } else { Self::Io { path, source } }
    }

    /// Whether the disk is full.
    #[must_use]
    pub const fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }
}
