//! Looks through backups before anything is made of them: whether each is whole, and what is in which.

use super::archive::{ArchiveError, ArchiveReader};
use super::contents::{MANIFEST, MANIFEST_SCHEMA, Manifest, group_of};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

/// A backup cannot be used. Nothing was restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// A file is not a whole backup.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: ArchiveError,
    },
    /// They do not belong together.
    #[error("{} is of another cluster than {}", second.display(), first.display())]
    Foreign {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// There is not everything.
    #[error("in none of the backups {}", missing(.0))]
    Missing(Vec<u16>),
}

fn missing(groups: &[u16]) -> String {
    let names: Vec<String> = groups
        .iter()
        .map(|group| {
            group.checked_sub(1).map_or_else(|| "the control group".to_owned(), |shard| format!("shard {shard}"))
        })
        .collect();
    format!("there is {}: give the backups of more nodes, too", names.join(", "))
}

/// What is in some backups.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Each with what it says of itself, the newest first.
    pub(crate) files: Vec<(PathBuf, Manifest)>,
    /// For each group, in which file it has come the furthest, and as which part.
    pub(crate) groups: BTreeMap<u16, (PathBuf, String)>,
}

impl Survey {
    /// Reads every file to its end.
    ///
    /// # Errors
    /// [`BackupError`] with the name of what is wrong.
    pub(crate) fn of(paths: &[PathBuf]) -> Result<Self, BackupError> {
        let mut files: Vec<(PathBuf, Manifest)> = Vec::new();
        let mut best: BTreeMap<u16, ((u64, u64), PathBuf, String)> = BTreeMap::new();
        for path in paths {
            let (manifest, parts) = look(path).map_err(|error| BackupError::File { path: path.clone(), error })?;
            if let Some((first, other)) = files.first()
                && other.cluster != manifest.cluster
            {
                return Err(BackupError::Foreign { first: first.clone(), second: path.clone() });
            }
            for part in parts {
                let Some((group, position)) = group_of(&part) else { continue };
                if best.get(&group).is_none_or(|(known, _, _)| position > *known) {
                    best.insert(group, (position, path.clone(), part));
                }
            }
            files.push((path.clone(), manifest));
        }
        files.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.taken_at));
        let groups = best.into_iter().map(|(group, (_, path, part))| (group, (path, part))).collect();
        Ok(Self { files, groups })
    }

    /// Whether every group of the cluster is there.
    ///
    /// # Errors
    /// [`BackupError::Missing`].
    pub(crate) fn complete(&self) -> Result<(), BackupError> {
        let shards = self.files.first().map_or(0, |(_, manifest)| manifest.shards);
        let missing: Vec<u16> = (0..=shards).filter(|group| !self.groups.contains_key(group)).collect();
        if missing.is_empty() { Ok(()) } else { Err(BackupError::Missing(missing)) }
    }
}

/// Opens a backup.
pub(super) fn open(path: &Path) -> Result<ArchiveReader<BufReader<File>>, ArchiveError> {
    ArchiveReader::new(BufReader::new(File::open(path)?))
}

/// Reads a backup to its end: what it says of itself, and the names of its parts.
fn look(path: &Path) -> Result<(Manifest, Vec<String>), ArchiveError> {
    let mut archive = open(path)?;
    let (mut manifest, mut names) = (Vec::new(), Vec::new());
    while let Some(name) =
        archive.next(|name| Ok(if name == MANIFEST { Sink::Kept(&mut manifest) } else { Sink::Dropped }))?
    {
        names.push(name);
    }
    let manifest: Manifest =
        serde_json::from_slice(&manifest).map_err(|_| ArchiveError::Damaged(MANIFEST.to_owned()))?;
    if manifest.schema != MANIFEST_SCHEMA {
        return Err(ArchiveError::Later(manifest.schema));
    }
    Ok((manifest, names))
}

/// Where a part goes while it is only looked at.
enum Sink<'a> {
    Kept(&'a mut Vec<u8>),
    Dropped,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Self::Kept(kept) = self {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
