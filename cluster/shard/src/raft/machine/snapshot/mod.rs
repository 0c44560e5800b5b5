//! Snapshots as files: made of one moment of the stored state, sent, received, verified.

mod error;
mod file;
mod format;
pub(super) mod image;
mod reader;
pub(super) mod temporary;
mod writer;

pub(crate) use error::SnapshotError;
pub(super) use error::blocking;
pub(crate) use file::SnapshotFile;
pub(super) use format::{Head, ImageReader};
pub(crate) use reader::SnapshotReader;
pub(crate) use writer::SnapshotWriter;
pub(super) use writer::verified;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Counts the bytes of a received snapshot that have been verified and installed, for whoever waits for that.
pub(crate) type Progress = Arc<AtomicU64>;

#[cfg(test)]
use octopussy_store::Keyspace;
#[cfg(test)]
use std::path::Path;

/// A snapshot's file of these rows.
#[cfg(test)]
pub(super) fn write_image(
    path: &Path,
    head: &Head,
    rows: &[(Keyspace, Vec<u8>, Vec<u8>)],
) -> Result<(), SnapshotError> {
    let mut image = format::ImageWriter::create(path, head)?;
    for (keyspace, key, value) in rows {
        image.row(*keyspace, key, value)?;
    }
    image.finish()
}
