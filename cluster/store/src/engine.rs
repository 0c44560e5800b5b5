//! Which engine, and how to open it.

use crate::redb_engine::RedbStore;
use crate::segments::SegmentStore;
use crate::{Batch, Durability, Keyspace, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// The format this build reads and writes. Stores of any other format are refused: a later one needs a newer build, and formats
/// before 3 were written by development builds whose records this build cannot read.
pub const FORMAT_VERSION: u32 = 3;

const FORMAT_KEY: &[u8] = b"format";

/// A storage engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// One file, one `fdatasync` a commit, small memory.
    #[default]
    Redb,
    /// Needs the feature `store-sled`. Survives a crash of the process, but **not a power cut**: it never calls `fdatasync`.
    Sled,
    /// An append-only log in segment files, which keeps its keys in memory: for the log of the Raft groups, and not to be
    /// chosen for anything else.
    #[serde(skip)]
    Segments,
}

impl Engine {
    /// What the names of its files end in.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
            Self::Segments => "segments",
        }
    }
}

/// How a store is opened.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// The engine.
    pub engine: Engine,
    /// Its cache, in bytes.
    pub cache_bytes: usize,
    /// Whether durable commits also save what a reopening after a crash needs, so that it need not walk the file: right for
    /// large stores with few durable commits, wrong for a small one with many.
    pub quick_reopen: bool,
}

/// Opens the store at `path`, or makes it.
///
/// # Errors
/// Any [`StoreError`]; the message names the path and the way out.
pub fn open(path: &Path, options: StoreOptions) -> Result<Arc<dyn Store>, StoreError> {
    let store: Arc<dyn Store> = match options.engine {
        Engine::Redb => Arc::new(RedbStore::open(path, options)?),
        Engine::Segments => Arc::new(SegmentStore::open(path)?),
        #[cfg(feature = "store-sled")]
        Engine::Sled => Arc::new(crate::sled_engine::SledStore::open(path, options)?),
        #[cfg(not(feature = "store-sled"))]
        Engine::Sled => return Err(StoreError::EngineMissing { engine: "sled", feature: "store-sled" }),
    };
    check_format(path, store.as_ref())?;
    Ok(store)
}

/// Writes the format version into a new store, and compares it in an old one.
fn check_format(path: &Path, store: &dyn Store) -> Result<(), StoreError> {
    let Some(found) = store.get(Keyspace::Meta, FORMAT_KEY)? else {
        return write_format(store);
    };
    let found = found.try_into().map(u32::from_be_bytes).map_err(|bytes: Vec<u8>| StoreError::Corrupt {
        path: path.to_path_buf(),
        detail: format!("the format version has {} bytes", bytes.len()),
    })?;
    if found > FORMAT_VERSION {
        return Err(StoreError::NewerVersion { path: path.to_path_buf(), found, supported: FORMAT_VERSION });
    }
    if found < FORMAT_VERSION {
        return Err(StoreError::OlderVersion { path: path.to_path_buf(), found, supported: FORMAT_VERSION });
    }
    Ok(())
}

fn write_format(store: &dyn Store) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.put(Keyspace::Meta, FORMAT_KEY, FORMAT_VERSION.to_be_bytes());
    store.commit(&batch, Durability::Fsync)
}
