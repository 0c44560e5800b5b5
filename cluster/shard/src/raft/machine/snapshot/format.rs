//! The format of a snapshot's file: `magic version head row* end count checksum`, numbers big-endian.
//!
//! A row is its keyspace's number, the lengths of key and value, the key without its slot, the value. The checksum is the
//! SHA-256 of everything before it.

use super::super::group_record::SnapshotMeta;
use super::SnapshotError;
use crate::raft::GroupId;
use octopussy_core::codec;
use octopussy_ledger::ShardRecord;
use octopussy_store::Keyspace;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

const MAGIC: [u8; 8] = *b"octosnap";
const VERSION: u8 = 1;
/// Stands where a row's keyspace would.
const END: u8 = u8::MAX;
/// The longest key or value: as much as its length can say, so that no state is too large for a snapshot. Memory is taken as bytes
/// come, not as a damaged length says.
const MAX_BYTES: usize = u32::MAX as usize;
/// How much is read or written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Head {
    pub(in super::super) group: GroupId,
    pub(in super::super) meta: SnapshotMeta,
    /// Of a shard: what its machine keeps of itself.
    pub(in super::super) shard: ShardRecord,
}

/// A row: its keyspace, its key without the slot, its value.
pub(in super::super) type ImageRow = (Keyspace, Vec<u8>, Vec<u8>);

/// Writes a snapshot's file.
pub(super) struct ImageWriter {
    file: BufWriter<File>,
    hasher: Sha256,
    rows: u64,
}

impl ImageWriter {
    pub(super) fn create(path: &Path, head: &Head) -> Result<Self, SnapshotError> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(path)?);
        let mut writer = Self { file, hasher: Sha256::new(), rows: 0 };
        let head = codec::encode(head).map_err(|error| SnapshotError::Damaged(error.to_string()))?;
        writer.put(&MAGIC)?;
        writer.put(&[VERSION])?;
        writer.put(&length(&head)?)?;
        writer.put(&head)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }

    pub(super) fn row(&mut self, keyspace: Keyspace, key: &[u8], value: &[u8]) -> Result<(), SnapshotError> {
        self.put(&[keyspace.number()])?;
        self.put(&length(key)?)?;
        self.put(&length(value)?)?;
        self.put(key)?;
        self.put(value)?;
        self.rows += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), SnapshotError> {
        self.put(&[END])?;
        let rows = self.rows;
        self.put(&rows.to_be_bytes())?;
        let checksum = self.hasher.finalize();
        self.file.write_all(&checksum)?;
        Ok(self.file.flush()?)
    }
}

fn length(bytes: &[u8]) -> Result<[u8; 4], SnapshotError> {
    if bytes.len() > MAX_BYTES {
        return Err(SnapshotError::damaged("a record is too long"));
    }
    u32::try_from(bytes.len()).map(u32::to_be_bytes).map_err(|_| SnapshotError::damaged("a record is too long"))
}

/// Reads a snapshot's file. Only what [`Self::next`] has read to its end is verified.
pub(in super::super) struct ImageReader<R = BufReader<File>> {
    file: R,
    hasher: Sha256,
    rows: u64,
    head: Head,
}

impl ImageReader {
    pub(in super::super) fn open(path: &Path) -> Result<Self, SnapshotError> {
        Self::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?))
    }
}

impl<R: Read> ImageReader<R> {
    pub(in super::super) fn new(mut file: R) -> Result<Self, SnapshotError> {
        let mut hasher = Sha256::new();
        let [magic @ .., version] = read::<9>(&mut file, &mut hasher)?;
        if magic != MAGIC {
            return Err(SnapshotError::damaged("it is no snapshot"));
        }
        if version > VERSION {
            return Err(SnapshotError::Damaged(format!(
                "it has format version {version}, this build reads up to {VERSION}: upgrade this node"
            )));
        }
        let head = read_bytes(&mut file, &mut hasher)?;
        let head = codec::decode(&head).map_err(|error| SnapshotError::Damaged(error.to_string()))?;
        Ok(Self { file, hasher, rows: 0, head })
    }

    pub(in super::super) fn head(&self) -> &Head {
        &self.head
    }

    /// The next row; none at the end, which is then known to be the end of what was written.
    pub(in super::super) fn next(&mut self) -> Result<Option<ImageRow>, SnapshotError> {
        let [number] = read::<1>(&mut self.file, &mut self.hasher)?;
        if number == END {
            self.finish()?;
            return Ok(None);
        }
        let keyspace = Keyspace::ALL.get(usize::from(number)).copied();
        let keyspace = keyspace.ok_or_else(|| SnapshotError::damaged("a row has an unknown keyspace"))?;
        let key_length = read::<4>(&mut self.file, &mut self.hasher)?;
        let value_length = read::<4>(&mut self.file, &mut self.hasher)?;
        let key = read_exactly(&mut self.file, &mut self.hasher, key_length)?;
        let value = read_exactly(&mut self.file, &mut self.hasher, value_length)?;
        self.rows += 1;
        Ok(Some((keyspace, key, value)))
    }

    fn finish(&mut self) -> Result<(), SnapshotError> {
        let rows = u64::from_be_bytes(read(&mut self.file, &mut self.hasher)?);
        let expected: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
        let found = read::<32>(&mut self.file, &mut Sha256::new())?;
        if rows != self.rows || found != expected {
            return Err(SnapshotError::damaged("its checksum does not match"));
        }
        if self.file.read(&mut [0])? != 0 {
            return Err(SnapshotError::damaged("something follows its end"));
        }
        Ok(())
    }
}

fn read<const N: usize>(file: &mut impl Read, hasher: &mut Sha256) -> Result<[u8; N], SnapshotError> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map_err(cut_off)?;
    hasher.update(bytes);
    Ok(bytes)
}

fn read_bytes(file: &mut impl Read, hasher: &mut Sha256) -> Result<Vec<u8>, SnapshotError> {
    let length = read::<4>(file, hasher)?;
    read_exactly(file, hasher, length)
}

fn read_exactly(file: &mut impl Read, hasher: &mut Sha256, length: [u8; 4]) -> Result<Vec<u8>, SnapshotError> {
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_BYTES {
        return Err(SnapshotError::damaged("a record is too long"));
    }
    let mut bytes = Vec::new();
    if file.take(length as u64).read_to_end(&mut bytes)? < length {
        return Err(SnapshotError::damaged("it is cut off"));
    }
    hasher.update(&bytes);
    Ok(bytes)
}

fn cut_off(error: io::Error) -> SnapshotError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return SnapshotError::damaged("it is cut off");
    }
    error.into()
}
