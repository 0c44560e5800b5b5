//! Files that go when nobody needs them any longer.

use crate::raft::GroupId;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The directory of the snapshots' files within the data directory.
const DIRECTORY: &str = "snapshots";

/// Makes the directory, and removes what an earlier process left in it.
pub(in super::super) fn prepare(dir: &Path) -> io::Result<()> {
    let path = dir.join(DIRECTORY);
    fs::create_dir_all(&path)?;
    for entry in fs::read_dir(&path)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A file that is removed when this is dropped.
#[derive(Debug)]
pub(in super::super) struct TemporaryFile {
    path: PathBuf,
}

impl TemporaryFile {
    /// A place for a file; it is not made yet. `number` is not used twice while the process runs.
    pub(in super::super) fn new(dir: &Path, group: GroupId, number: u64) -> Self {
        Self { path: dir.join(DIRECTORY).join(format!("group-{group}-{number}.snapshot")) }
    }

    /// A file that is there already.
    pub(in super::super) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            // The next start removes it.
            tracing::debug!(path = %self.path.display(), %error, "a snapshot's file cannot be removed");
        }
    }
}
