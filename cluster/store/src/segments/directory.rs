//! The directory of the segments.

use crate::StoreError;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const EXTENSION: &str = "segment";

/// The directory of the segments, which one process at a time has open.
pub(super) struct Directory {
    path: PathBuf,
    /// Locked until it is closed, however the process ends.
    _lock: File,
}

impl Directory {
    /// Makes the directory if there is none, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        if path.is_file() {
            let detail = "it is a file where a directory of segments should be".to_owned();
            return Err(StoreError::Corrupt { path: path.to_path_buf(), detail });
        }
        let failed = |error| StoreError::io(path, error);
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = File::options().write(true).create(true).truncate(false).open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.to_path_buf() }),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(path, error)),
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync(parent)?;
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a segment lies.
    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:016}.{EXTENSION}"))
    }

    /// The numbers of the segments that are there, in order.
    pub(super) fn segments(&self) -> Result<Vec<u64>, StoreError> {
        let failed = |error| StoreError::io(&self.path, error);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some(number) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok())
            {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Deletes a segment.
    pub(super) fn remove(&self, number: u64) -> Result<(), StoreError> {
        let path = self.segment(number);
        std::fs::remove_file(&path).map_err(|error| StoreError::io(&path, error))
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        sync(&self.path)
    }
}

fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| StoreError::io(path, error))
}
