//! Files that only their owner may read, replaced as a whole.

use octopussy_core::ports::SecretError;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The largest store: a thousand secrets of the largest size.
const MAX_STORE_BYTES: u64 = 96 * 1024 * 1024;

/// Creates the directory for its owner alone.
pub(super) fn private_directory(path: &Path) -> Result<(), SecretError> {
    std::fs::create_dir_all(path).map_err(SecretError::Io)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(SecretError::Io)
}

/// A private file's content; `None` when it is not there.
pub(super) fn read_private(path: &Path) -> Result<Option<Vec<u8>>, SecretError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SecretError::Io(error)),
    };
    let mode = file.metadata().map_err(SecretError::Io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretError::Unusable(format!(
            "{} can be read by others (mode {:03o}): run `chmod 600 {}`, and rotate the secrets if others had access",
            path.display(),
            mode & 0o777,
            path.display()
        )));
    }
    let mut bytes = Vec::new();
    file.take(MAX_STORE_BYTES + 1).read_to_end(&mut bytes).map_err(SecretError::Io)?;
    if bytes.len() as u64 > MAX_STORE_BYTES {
        return Err(SecretError::Unusable(format!("{} is larger than any secret store", path.display())));
    }
    Ok(Some(bytes))
}

/// Replaces the file by `bytes` or leaves it as it was: write beside it, fsync, rename, fsync the directory.
pub(super) fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), SecretError> {
    let beside = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    };
    write().map_err(SecretError::Io)
}
