//! The boot epoch: a number that grows with every start, so that a node's lives can be told apart.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file in the data directory.
const FILE: &str = "boot-epoch";

/// The epoch cannot be told. A node must not start without one: it would be taken for its former life.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    /// The file cannot be read or written.
    #[error("cannot {doing} {}: {error}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why it failed.
        error: std::io::Error,
    },
    /// It holds something else.
    #[error("{} does not hold a number; write one into it that is larger than any this node has had, such as {suggestion}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// A number that is surely large enough.
        suggestion: u64,
    },
}

/// Counts a start: answers with the number of this one, which is on disk when this returns.
///
/// # Errors
/// [`BootError`]; the number before stays.
pub(crate) fn next(data: &Path) -> Result<u64, BootError> {
    let path = data.join(FILE);
    let failed = |doing| {
        let path = path.clone();
        move |error| BootError::File { doing, path, error }
    };
    std::fs::create_dir_all(data).map_err(failed("create the folder of"))?;
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse::<u64>()
            .map_err(|_| BootError::Damaged { path: path.clone(), suggestion: 1_000_000_000 })?,
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(BootError::Damaged { path, suggestion: 1_000_000_000 });
        }
        Err(error) => return Err(failed("read")(error)),
    };
    let now = before.saturating_add(1);
    let draft = data.join("boot-epoch.new");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&draft)?;
        writeln!(file, "{now}")?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)?;
        File::open(data)?.sync_all()
    };
    write().map_err(failed("write"))?;
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_has_a_larger_number() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        assert_eq!([next(&data).unwrap(), next(&data).unwrap(), next(&data).unwrap()], [1, 2, 3]);
    }

    #[test]
    fn a_draft_left_by_a_crash_does_not_count_and_damage_is_told() {
        let home = tempfile::tempdir().unwrap();
        next(home.path()).unwrap();
        std::fs::write(home.path().join("boot-epoch.new"), "99").unwrap();
        assert_eq!(next(home.path()).unwrap(), 2);
        std::fs::write(home.path().join(FILE), "many").unwrap();
        let error = next(home.path()).unwrap_err();
        assert!(matches!(error, BootError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("boot-epoch"), "{error}");
        std::fs::write(home.path().join(FILE), [0xff, 0xfe]).unwrap();
        assert!(matches!(next(home.path()), Err(BootError::Damaged { .. })));
    }
}
