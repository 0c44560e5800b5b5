//! What can go wrong with a snapshot.

use crate::work;
use octopussy_ledger::ColdError;
use std::io;
use std::sync::Arc;

/// A snapshot could not be made, read or written. Nothing but its file is affected; asking for a new one may help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// The state has moved on since the snapshot was asked for: ask anew.
    #[error("the state has moved on since the snapshot was asked for")]
    Stale,
    /// The file cannot be read or written.
    #[error("the snapshot's file cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// The state store cannot be read.
    #[error("the state cannot be read: {0}")]
    Store(Arc<str>),
    /// What was received is not what was sent.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
}

impl From<ColdError> for SnapshotError {
    fn from(error: ColdError) -> Self {
        Self::Store(error.0)
    }
}

impl SnapshotError {
    pub(super) fn damaged(detail: &str) -> Self {
        Self::Damaged(detail.to_owned())
    }
}

/// Runs what blocks for a while on a thread of its own.
pub(in super::super) async fn blocking<T: Send + 'static>(
    action: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    // It is only cancelled when the runtime goes down.
    work::blocking(action).await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}
