//! What the operating system's cache holds of a file.

use rustix::fs::Advice;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;

/// Sees to it that what is read of a file is what the disk holds.
///
/// After a failed write the cache may hold what the disk does not, and call it clean. What cannot be written must show now, and
/// what was dropped must not be read.
///
/// # Errors
/// What was still to be written cannot be written.
pub(crate) fn read_from_disk(file: &File) -> io::Result<()> {
    file.sync_all()?;
    Ok(rustix::fs::fadvise(file, 0, None::<NonZeroU64>, Advice::DontNeed)?)
}
