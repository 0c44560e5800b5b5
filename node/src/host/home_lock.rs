//! One node a home directory.

use crate::failure::Failure;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process may hold the lock: a node that was killed takes a moment to disappear.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether the lock is free.
const POLL: Duration = Duration::from_millis(20);

/// Held for as long as the node runs. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes the home directory for this process. Blocks for at most [`PATIENCE`].
    ///
    /// # Errors
    /// When another node has it, or the lock's file cannot be written.
    pub(super) fn take(home: &Path) -> Result<Self, Failure> {
        let folder = home.join("run");
        let path = folder.join("lock");
        let failed = |error: std::io::Error| Failure::io("cannot write", &path, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(POLL),
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(Failure::new(format!("{} is in use by another node", home.display()))
                        .hint("`octopussy stop` ends it; another node needs another home (--home DIR)"));
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_for_one_node_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = HomeLock::take(home.path()).unwrap();
        let error = HomeLock::take(home.path()).unwrap_err();
        assert!(error.to_string().contains("in use"), "{error}");
        drop(first);
        HomeLock::take(home.path()).unwrap();
    }
}
