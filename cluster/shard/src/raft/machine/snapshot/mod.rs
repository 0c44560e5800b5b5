//! Snapshots as files: made of one moment of the stored state, sent, received, verified.

mod error;
mod file;
mod format;
mod image;
mod reader;
pub(super) mod temporary;
mod writer;

pub(crate) use error::SnapshotError;
pub(crate) use file::SnapshotFile;
pub(super) use format::{Head, ImageReader};
pub(crate) use reader::SnapshotReader;
pub(crate) use writer::SnapshotWriter;
