//! Looks through backups before anything is made of them: whether each is whole, and what is in which.

use super::archive::{ArchiveError, ArchiveReader};
use super::contents::{BLOBS, DATA_KEY, LOST, MANIFEST, MANIFEST_SCHEMA, Manifest, blob_of, group_of, home_file};
use octopussy_core::ids::BlobId;
use octopussy_shard::IMAGE_FORMAT;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// The longest manifest: with the most shards that there can be it has a tenth of it.
const MAX_MANIFEST: usize = 256 * 1024;

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
    /// Another build is needed.
    #[error(
        "{} was taken by version {version} and has the format {format}; this build reads {IMAGE_FORMAT}: restore it with that version",
        path.display()
    )]
    Format {
        /// Which file.
        path: PathBuf,
        /// The build that made it.
        version: String,
        /// Its format.
        format: u32,
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
    let shards: Vec<String> =
        groups.iter().filter_map(|group| group.checked_sub(1)).map(|shard| shard.to_string()).collect();
    let mut names = Vec::new();
    if groups.contains(&0) {
        names.push("the control group".to_owned());
    }
    match shards.as_slice() {
        [] => {}
        [shard] => names.push(format!("shard {shard}")),
        several => names.push(format!("the shards {}", several.join(", "))),
    }
    let verb = if groups.len() == 1 { "is" } else { "are" };
    format!("there {verb} {}: give the backups of more nodes, too", names.join(" and "))
}

/// What is in one backup.
#[derive(Debug)]
pub(super) struct Contents {
    /// What it says of itself.
    pub(super) manifest: Manifest,
    groups: Vec<(u16, (u64, u64), String)>,
    documents: BTreeSet<BlobId>,
    lost: BTreeSet<BlobId>,
}

impl Contents {
    /// How many documents are in it, and how many are named and were nowhere.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.documents.len(), self.lost.len())
    }
}

/// What is in some backups.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Each with what it says of itself, the newest first.
    pub(crate) files: Vec<(PathBuf, Manifest)>,
    /// For each group, in which file it has come the furthest, and as which part.
    pub(crate) groups: BTreeMap<u16, (PathBuf, String)>,
    /// The documents.
    pub(crate) documents: BTreeSet<BlobId>,
    /// Documents that are named, and in none of them.
    pub(crate) lost: BTreeSet<BlobId>,
}

impl Survey {
    /// Reads every file to its end, unless it is told to stop.
    ///
    /// # Errors
    /// [`BackupError`] with the name of what is wrong.
    pub(crate) fn of(paths: &[PathBuf], stopping: &CancellationToken) -> Result<Self, BackupError> {
        let mut read = Vec::<(PathBuf, Contents)>::new();
        for path in paths {
            if read.iter().any(|(known, _)| known == path) {
                continue;
            }
            let archive = open(path, stopping);
            let contents = archive.and_then(look).map_err(|error| BackupError::File { path: path.clone(), error })?;
            let Manifest { format, version, .. } = &contents.manifest;
            if *format != IMAGE_FORMAT {
                return Err(BackupError::Format { path: path.clone(), version: version.clone(), format: *format });
            }
            read.push((path.clone(), contents));
        }
        Self::over(read)
    }

    fn over(read: Vec<(PathBuf, Contents)>) -> Result<Self, BackupError> {
        let mut best: BTreeMap<u16, ((u64, u64), PathBuf, String)> = BTreeMap::new();
        let (mut files, mut documents, mut lost) =
            (Vec::<(PathBuf, Manifest)>::new(), BTreeSet::new(), BTreeSet::new());
        for (path, mut contents) in read {
            if let Some((first, other)) = files.first()
                && other.cluster != contents.manifest.cluster
            {
                return Err(BackupError::Foreign { first: first.clone(), second: path });
            }
            for (group, position, part) in contents.groups {
                if best.get(&group).is_none_or(|(known, _, _)| position > *known) {
                    best.insert(group, (position, path.clone(), part));
                }
            }
            documents.append(&mut contents.documents);
            lost.append(&mut contents.lost);
            files.push((path, contents.manifest));
        }
        files.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.taken_at));
        lost.retain(|id| !documents.contains(id));
        let groups = best.into_iter().map(|(group, (_, path, part))| (group, (path, part))).collect();
        Ok(Self { files, groups, documents, lost })
    }

    /// Whether every group of the cluster is there.
    ///
    /// # Errors
    /// [`BackupError::Missing`].
    pub(crate) fn complete(&self) -> Result<(), BackupError> {
        let shards = self.files.iter().map(|(_, manifest)| manifest.shards).max().unwrap_or_default();
        let missing: Vec<u16> = (0..=shards).filter(|group| !self.groups.contains_key(group)).collect();
        if missing.is_empty() { Ok(()) } else { Err(BackupError::Missing(missing)) }
    }
}

/// A file that is read until somebody is told to stop.
pub(super) struct Source {
    file: BufReader<File>,
    stopping: CancellationToken,
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.stopping.is_cancelled() {
            return Err(io::Error::other("it was interrupted"));
        }
        self.file.read(bytes)
    }
}

/// Opens a backup.
pub(super) fn open(path: &Path, stopping: &CancellationToken) -> Result<ArchiveReader<Source>, ArchiveError> {
    ArchiveReader::new(Source { file: BufReader::new(File::open(path)?), stopping: stopping.clone() })
}

/// Reads a backup to its end.
pub(super) fn look(mut archive: ArchiveReader<impl Read>) -> Result<Contents, ArchiveError> {
    let mut manifest = Vec::new();
    let (mut groups, mut documents, mut lost) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut files = BTreeSet::new();
    while let Some(name) =
        archive.next(|name| Ok(if name == MANIFEST { Sink::Kept(&mut manifest) } else { Sink::Dropped }))?
    {
        files.extend(home_file(&name));
        documents.extend(blob_of(&name, BLOBS));
        lost.extend(blob_of(&name, LOST));
        if let Some((group, position)) = group_of(&name) {
            groups.push((group, position, name));
        }
    }
    let damaged = |_| ArchiveError::Damaged(MANIFEST.to_owned());
    // Of a later one nothing else is known.
    let Shape { schema } = serde_json::from_slice(&manifest).map_err(damaged)?;
    if schema != MANIFEST_SCHEMA {
        return Err(ArchiveError::Later(schema));
    }
    let manifest: Manifest = serde_json::from_slice(&manifest).map_err(damaged)?;
    // Without it none of the shared secrets can be read.
    if !files.contains(DATA_KEY) {
        return Err(ArchiveError::Lacking(DATA_KEY));
    }
    Ok(Contents { manifest, groups, documents, lost })
}

/// What every manifest says of itself.
#[derive(Deserialize)]
struct Shape {
    schema: u16,
}

/// Where a part goes while it is only looked at.
enum Sink<'a> {
    Kept(&'a mut Vec<u8>),
    Dropped,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Self::Kept(kept) = self {
            if kept.len() + bytes.len() > MAX_MANIFEST {
                return Err(io::Error::other("what it says of itself is too long"));
            }
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::archive::ArchiveWriter;
    use super::super::contents::{HOME, group_part};
    use super::*;
    use octopussy_core::time::Timestamp;

    fn manifest(name: &str, at: u64, groups: &[u16]) -> Manifest {
        Manifest {
            schema: MANIFEST_SCHEMA,
            version: "1".to_owned(),
            format: IMAGE_FORMAT,
            cluster: "one".to_owned(),
            authority: String::new(),
            shards: 3,
            node: name.to_owned(),
            name: name.to_owned(),
            zone: None,
            capacity: None,
            taken_at: Timestamp::from_millis(at),
            groups: groups.to_vec(),
            leaderless: Vec::new(),
        }
    }

    /// A backup in a file of its own, with the positions of its groups.
    fn file(folder: &Path, manifest: &Manifest, groups: &[(u16, (u64, u64))], more: &[String]) -> PathBuf {
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        let said = serde_json::to_vec(manifest).unwrap();
        writer.part(MANIFEST, said.len() as u64, &mut said.as_slice()).unwrap();
        let files = [format!("{HOME}{DATA_KEY}")];
        let images = groups.iter().map(|(group, position)| group_part(*group, *position));
        for name in files.into_iter().chain(images).chain(more.iter().cloned()) {
            writer.part(&name, 0, &mut io::empty()).unwrap();
        }
        let path = folder.join(format!("{}-{}", manifest.name, manifest.taken_at.as_millis()));
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        path
    }

    fn survey(paths: &[PathBuf]) -> Result<Survey, BackupError> {
        Survey::of(paths, &CancellationToken::new())
    }

    #[test]
    fn of_several_backups_the_furthest_copy_of_each_shard_counts() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let first = file(at, &manifest("a", 1, &[0, 1, 2]), &[(0, (3, 9)), (1, (2, 50)), (2, (4, 7))], &[]);
        let second = file(at, &manifest("b", 2, &[0, 1, 3]), &[(0, (3, 8)), (1, (3, 10)), (3, (1, 1))], &[]);
        let found = survey(&[first.clone(), second.clone(), first.clone()]).unwrap();
        found.complete().unwrap();
        assert_eq!(found.files.len(), 2, "one of them counts twice");
        assert_eq!(found.files[0].0, second, "the newest comes first");
        let from: Vec<_> = found.groups.iter().map(|(group, (path, _))| (*group, path.clone())).collect();
        // A later term beats a greater index.
        assert_eq!(from, [(0, first.clone()), (1, second.clone()), (2, first), (3, second)]);
    }

    #[test]
    fn what_is_in_no_backup_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let only = file(folder.path(), &manifest("a", 1, &[0, 2]), &[(0, (1, 1)), (2, (1, 1))], &[]);
        let error = survey(&[only]).unwrap().complete().unwrap_err().to_string();
        assert!(error.contains("the shards 0, 2") && error.contains("more nodes"), "{error}");
        let no_control = file(folder.path(), &manifest("b", 1, &[1]), &[(1, (1, 1)), (2, (1, 1)), (3, (1, 1))], &[]);
        let error = survey(&[no_control]).unwrap().complete().unwrap_err().to_string();
        assert!(error.contains("the control group"), "{error}");
    }

    #[test]
    fn backups_of_two_clusters_or_of_another_format_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let one = file(folder.path(), &manifest("a", 1, &[]), &[], &[]);
        let other = file(folder.path(), &Manifest { cluster: "two".to_owned(), ..manifest("b", 1, &[]) }, &[], &[]);
        let error = survey(&[one, other.clone()]).unwrap_err();
        assert!(matches!(&error, BackupError::Foreign { second, .. } if *second == other), "{error}");
        let old = Manifest { format: IMAGE_FORMAT - 1, ..manifest("c", 1, &[]) };
        let error = survey(&[file(folder.path(), &old, &[], &[])]).unwrap_err();
        assert!(matches!(error, BackupError::Format { .. }) && error.to_string().contains("version 1"), "{error}");
    }

    #[test]
    fn a_document_that_one_node_lacks_may_be_in_the_backup_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (there, nowhere) = (BlobId::of(b"there"), BlobId::of(b"nowhere"));
        let lost = [format!("lost/{there}"), format!("lost/{nowhere}")];
        let one = file(folder.path(), &manifest("a", 1, &[]), &[], &lost);
        let other = file(folder.path(), &manifest("b", 1, &[]), &[], &[format!("blobs/{there}")]);
        let found = survey(&[one, other]).unwrap();
        assert_eq!((found.documents, found.lost), (BTreeSet::from([there]), BTreeSet::from([nowhere])));
    }

    #[test]
    fn a_backup_without_keys_or_with_an_endless_manifest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        let said = serde_json::to_vec(&manifest("a", 1, &[])).unwrap();
        writer.part(MANIFEST, said.len() as u64, &mut said.as_slice()).unwrap();
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        let error = survey(std::slice::from_ref(&path)).unwrap_err();
        assert!(error.to_string().contains(DATA_KEY), "{error}");
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        let long = MAX_MANIFEST as u64 + 1;
        writer.part(MANIFEST, long, &mut io::repeat(b' ').take(long)).unwrap();
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        let error = survey(std::slice::from_ref(&path)).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
        let later = br#"{"schema": 9, "said": "otherwise"}"#;
        writer.part(MANIFEST, later.len() as u64, &mut later.as_slice()).unwrap();
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        let error = survey(&[path]).unwrap_err();
        assert!(matches!(error, BackupError::File { error: ArchiveError::Later(9), .. }), "{error}");
    }
}
