//! Why a node's shards cannot be opened.

use octopussy_core::ids::ShardCount;
use octopussy_core::ports::ProposeError;
use octopussy_ledger::ColdError;
use octopussy_store::StoreError;
use std::io;
use std::path::PathBuf;

/// The shards cannot be opened; what is on the disk is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made.
    #[error("cannot create the data directory '{}': {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A store cannot be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory was made for another number of shards.
    #[error(
        "'{}' was created with {} shards, the configuration says {}: set cluster.shards back to {}",
        path.display(), found.get(), configured.get(), found.get()
    )]
    ShardCount {
        /// The data directory.
        path: PathBuf,
        /// What it was made for.
        found: ShardCount,
        /// What the configuration says.
        configured: ShardCount,
    },
    /// A stored record cannot be read.
    #[error("a record of '{}' cannot be read: {detail}", path.display())]
    Record {
        /// The data directory.
        path: PathBuf,
        /// Which, and why.
        detail: String,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread for the log: {0}")]
    Thread(io::Error),
    /// The shards cannot be activated.
    #[error("the shards cannot be activated: {0}")]
    Activate(ProposeError),
}

impl OpenError {
    /// Whether another process has the stores open. One that was just killed lets go of them a moment later.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Store(StoreError::Locked { .. }))
    }

    pub(crate) fn record(path: &std::path::Path, error: &ColdError) -> Self {
        Self::Record { path: path.to_path_buf(), detail: error.0.to_string() }
    }
}

/// The error callers get for a store that failed.
pub(crate) fn propose_error(error: &StoreError) -> ProposeError {
    if error.is_disk_full() { ProposeError::DiskFull } else { ProposeError::Store(error.to_string().into()) }
}

/// A store's error as the machine hears it.
pub(crate) fn cold_error(error: &StoreError) -> ColdError {
    ColdError(error.to_string().into())
}
