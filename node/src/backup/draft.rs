//! A home on its way: it is made beside its place, or within it, and is there when it is whole.

use crate::failure::Failure;
use crate::ownership;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a file system keeps at its root by itself.
const ALWAYS_THERE: &str = "lost+found";
/// Moved last, in this order: a home with a part of them is refused by a start, and is not taken for a new one.
const LAST: [&str; 2] = ["config.yaml", "data"];
/// Moved first: it says that there is to be data.
const FIRST: &str = "cluster";

/// A home that is being made. What there is of it goes with this.
#[derive(Debug)]
pub(super) struct Draft {
    folder: TempDir,
    home: PathBuf,
    /// Whether the home's own directory is there, and is filled. It may be the root of a file system, which nothing can be moved to.
    within: bool,
}

impl Draft {
    /// Begins a home where nothing is yet.
    ///
    /// # Errors
    /// When something is there, or nothing can be made there.
    pub(super) fn begin(home: &Path) -> Result<Self, Failure> {
        ownership::check(home)?;
        let cannot = |path: &Path, error: &io::Error| Failure::io("cannot write into", path, error);
        let within = match std::fs::read_dir(home) {
            Ok(entries) => {
                for entry in entries {
                    if entry.map_err(|error| cannot(home, &error))?.file_name() != ALWAYS_THERE {
                        return Err(Failure::new(format!(
                            "{} is there already and not empty: a backup is restored into a new home",
                            home.display()
                        ))
                        .hint("name another one with --home DIR, or move this one away"));
                    }
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(cannot(home, &error)),
        };
        let above = if within { home } else { home.parent().unwrap_or(Path::new("/")) };
        make_folder(above).map_err(|error| cannot(above, &error))?;
        let folder = tempfile::Builder::new()
            .prefix(".octopussy-restore-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(above)
            .map_err(|error| cannot(above, &error))?;
        Ok(Self { folder, home: home.to_owned(), within })
    }

    /// Where it is made.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// It is whole: brings it to its place, durably.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let (made, home) = (self.folder.path(), self.home.as_path());
        let failed = |error: &io::Error| Failure::io("cannot bring what was restored to", home, error);
        sync_folders(made).map_err(|error| failed(&error))?;
        if !self.within {
            std::fs::rename(made, home).map_err(|error| failed(&error))?;
            // It is not a draft any more.
            let _old = self.folder.keep();
            return sync(home.parent().unwrap_or(Path::new("/"))).map_err(|error| failed(&error));
        }
        move_into(made, home).map_err(|error| failed(&error))
    }
}

/// Moves what is in `from` into `to`, one after the other: what a start asks for first comes last.
fn move_into(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(from)? {
        names.push(entry?.file_name());
    }
    let rank = |name: &std::ffi::OsString| match LAST.iter().position(|last| name == last) {
        Some(place) => 2 + place,
        None => usize::from(name != FIRST),
    };
    names.sort_by_key(rank);
    for name in names {
        std::fs::rename(from.join(&name), to.join(&name))?;
        sync(to)?;
    }
    Ok(())
}

/// Makes a folder, and those above it, for their owner alone.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Sees to it that the names of what was written survive a power cut; the files themselves have been synced.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::ffi::OsString;

    fn fill(draft: &Draft) {
        for folder in ["cluster", "data", "tls"] {
            make_folder(&draft.path().join(folder)).unwrap();
        }
        std::fs::write(draft.path().join("config.yaml"), "x").unwrap();
    }

    fn names(folder: &Path) -> BTreeSet<OsString> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    fn whole() -> BTreeSet<OsString> {
        ["cluster", "config.yaml", "data", "tls"].map(OsString::from).into()
    }

    #[test]
    fn a_home_is_there_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("new").join("home");
        let draft = Draft::begin(&home).unwrap();
        fill(&draft);
        assert!(!home.exists(), "it is not whole yet");
        drop(draft);
        assert_eq!(names(&folder.path().join("new")), BTreeSet::new(), "something of it was left behind");
        let draft = Draft::begin(&home).unwrap();
        fill(&draft);
        draft.finish().unwrap();
        assert_eq!(names(&home), whole());
        assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        let refused = Draft::begin(&home).unwrap_err();
        assert!(refused.message.contains("not empty"), "{refused}");
        assert_eq!(names(&folder.path().join("new")).len(), 1);
    }

    #[test]
    fn an_empty_volume_is_filled_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        make_folder(&home.join(ALWAYS_THERE)).unwrap();
        let draft = Draft::begin(home).unwrap();
        fill(&draft);
        drop(draft);
        assert_eq!(names(home), [OsString::from(ALWAYS_THERE)].into());
        let draft = Draft::begin(home).unwrap();
        fill(&draft);
        draft.finish().unwrap();
        let mut expected = whole();
        expected.insert(ALWAYS_THERE.into());
        assert_eq!(names(home), expected);
    }

    #[test]
    fn a_file_is_no_place_for_a_home() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let refused = Draft::begin(&file).unwrap_err();
        assert!(refused.message.contains("not a directory"), "{refused}");
        assert_eq!(std::fs::read(&file).unwrap(), b"x");
    }
}
