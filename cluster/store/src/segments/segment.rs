//! One segment file.

use super::frame::ALIGN;
use super::index::Place;
use crate::StoreError;
use crate::cached::read_from_disk;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Where the first frame begins: behind the head, with room for more of it.
pub(super) const FIRST: u64 = 64;

const HEAD: usize = 40;
const MAGIC: [u8; 8] = *b"octolog1";

/// What a segment says of itself and of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHead {
    pub(super) number: u64,
    /// The number of its first frame.
    pub(super) first: u64,
    /// Where the frames of the segment before it end. What lies behind that was never acknowledged.
    pub(super) before_ends: u64,
}

/// One segment file, for as long as somebody may read it; its space is given back when nobody does after it was deleted.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) head: SegmentHead,
    pub(super) file: File,
    path: PathBuf,
}

impl Segment {
    /// Makes a new segment, durably but for its name in the directory.
    pub(super) fn create(path: PathBuf, head: SegmentHead) -> Result<Self, StoreError> {
        let made = File::options().read(true).write(true).create_new(true).open(&path).and_then(|file| {
            file.write_all_at(&encode(head), 0)?;
            file.sync_all()?;
            Ok(file)
        });
        match made {
            Ok(file) => Ok(Self { head, file, path }),
            Err(error) => {
                // What is left of it is dropped by the next opening too.
                let _ = std::fs::remove_file(&path);
                Err(StoreError::io(&path, error))
            }
        }
    }

    /// Opens a segment to be read, as it is on the disk. `None` when it was not finished being made: nothing is written behind
    /// a head before that is on the disk.
    pub(super) fn open(path: PathBuf, number: u64) -> Result<Option<Self>, StoreError> {
        let read = || -> std::io::Result<_> {
            let file = File::options().read(true).write(true).open(&path)?;
            read_from_disk(&file)?;
            let (mut bytes, length) = ([0; HEAD], file.metadata()?.len());
            if length >= HEAD as u64 {
                file.read_exact_at(&mut bytes, 0)?;
            }
            Ok((file, decode(&bytes).filter(|head| head.number == number), length))
        };
        let (file, head, length) = read().map_err(|error| StoreError::io(&path, error))?;
        match head {
            Some(head) => Ok(Some(Self { head, file, path })),
            None if length <= FIRST => Ok(None),
            None => Err(StoreError::Corrupt { path, detail: "its head cannot be read".to_owned() }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a value.
    pub(super) fn read(&self, place: Place) -> Result<Vec<u8>, StoreError> {
        let mut value = vec![0; usize::try_from(place.length).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut value, place.offset).map_err(|error| StoreError::io(&self.path, error))?;
        Ok(value)
    }

    /// Allocates space up to `end`. File systems that cannot are let go without: the space comes with the writing then.
    pub(super) fn allocate(&self, from: u64, end: u64) -> Result<(), StoreError> {
        match rustix::fs::fallocate(&self.file, FallocateFlags::empty(), from, end.saturating_sub(from)) {
            // A limit of file size below this step must not end what would still fit.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::FBIG) => Ok(()),
            Err(error) => Err(StoreError::io(&self.path, error.into())),
        }
    }

    /// Gives back what was allocated behind the last frame.
    pub(super) fn trim(&self, end: u64) {
        if let Err(error) = self.file.set_len(end) {
            tracing::debug!(path = %self.path.display(), %error, "the end of a segment is not given back");
        }
    }

    /// The bytes it takes.
    pub(super) fn size(&self) -> Result<u64, StoreError> {
        self.file.metadata().map(|file| file.len()).map_err(|error| StoreError::io(&self.path, error))
    }
}

fn encode(head: SegmentHead) -> [u8; HEAD] {
    let mut bytes = [0; HEAD];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&head.number.to_le_bytes());
    bytes[16..24].copy_from_slice(&head.first.to_le_bytes());
    bytes[24..32].copy_from_slice(&head.before_ends.to_le_bytes());
    let checksum = xxh3_64(&bytes[..32]);
    bytes[32..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; HEAD]) -> Option<SegmentHead> {
    let number_at = |at: usize| bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk));
    if bytes[..8] != MAGIC || number_at(32)? != xxh3_64(&bytes[..32]) {
        return None;
    }
    Some(SegmentHead { number: number_at(8)?, first: number_at(16)?, before_ends: number_at(24)? })
}

const _: () = assert!(FIRST as usize >= HEAD && FIRST.is_multiple_of(ALIGN));
