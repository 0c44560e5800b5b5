//! A disk that fills up.

use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system in memory; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of `megabytes` at `path`, where that is allowed.
    #[must_use]
    pub fn mount(path: &Path, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(path).ok()?;
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).output().ok()?;
        mounted.status.success().then(|| Self(path.to_owned()))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves `free` bytes of it; whoever removes the file that is named has the room again.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn fill(&self, free: u64) -> Result<PathBuf> {
        let ballast = self.0.join("ballast");
        let space = rustix::fs::statvfs(&self.0)?;
        let bytes = (space.f_bavail * space.f_frsize).saturating_sub(free);
        std::fs::write(&ballast, vec![1_u8; usize::try_from(bytes)?])?;
        ensure!(ballast.metadata()?.len() == bytes, "the ballast was not written");
        Ok(ballast)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}
