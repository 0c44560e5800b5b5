//! sled 0.34: a log-structured tree in a directory.
//!
//! It flushes with `sync_file_range`, never with `fdatasync`: what was committed with [`Durability::Fsync`] survives a crash
//! of the process and of the kernel's page cache writer, but not a power cut of a disk with a volatile cache.

use crate::{
    Batch, Direction, Durability, KeyRange, Keyspace, Operation, Snapshot, Store, StoreError, StoreOptions, Visit,
};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// A sled database. All keyspaces share one tree, since only batches of one tree are atomic.
pub(crate) struct SledStore {
    database: sled::Db,
    path: PathBuf,
    failed: AtomicBool,
    /// sled has no snapshots: readers keep writers out while they look.
    gate: RwLock<()>,
}

impl SledStore {
    pub(crate) fn open(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let capacity = u64::try_from(options.cache_bytes).unwrap_or(u64::MAX);
        let database = sled::Config::new()
            .path(path)
            .cache_capacity(capacity)
            // Whoever wants a write on the disk says so in the commit.
            .flush_every_ms(None)
            .open()
            .map_err(|error| convert(path, error))?;
        Ok(Self { database, path: path.to_path_buf(), failed: AtomicBool::new(false), gate: RwLock::new(()) })
    }

    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), sled::Error> {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        // The last change of a key wins, also against a range that covers it.
        let mut pending: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for (keyspace, operation) in batch.grouped() {
            match operation {
                Operation::Put(key, value) => {
                    pending.insert(prefixed(*keyspace, key), Some(value.clone()));
                }
                Operation::Delete(key) => {
                    pending.insert(prefixed(*keyspace, key), None);
                }
                Operation::DeleteRange(range) if range.is_empty() => {}
                Operation::DeleteRange(range) => {
                    let range = prefixed_range(*keyspace, range);
                    pending.range_mut(range.clone()).for_each(|(_, value)| *value = None);
                    for row in self.database.range::<Vec<u8>, _>(range) {
                        pending.insert(row?.0.to_vec(), None);
                    }
                }
            }
        }
        let mut changes = sled::Batch::default();
        for (key, value) in pending {
            match value {
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        self.database.apply_batch(changes)?;
        if durability == Durability::Fsync {
            self.database.flush()?;
        }
        Ok(())
    }
}

impl Store for SledStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(SledSnapshot { store: self, _gate: gate }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.health()?;
        self.write(batch, durability).map_err(|error| {
            self.failed.store(true, Ordering::Release);
            convert(&self.path, error)
        })
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.database.size_on_disk().map_err(|error| convert(&self.path, error))
    }

    fn health(&self) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed { path: self.path.clone() });
        }
        Ok(())
    }
}

struct SledSnapshot<'a> {
    store: &'a SledStore,
    _gate: RwLockReadGuard<'a, ()>,
}

impl Snapshot for SledSnapshot<'_> {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.store.database.get(prefixed(keyspace, key));
        found.map(|value| value.map(|value| value.to_vec())).map_err(|error| convert(&self.store.path, error))
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let mut rows = self.store.database.range::<Vec<u8>, _>(prefixed_range(keyspace, range));
        loop {
            let row = match direction {
                Direction::Forward => rows.next(),
                Direction::Reverse => rows.next_back(),
            };
            let Some(row) = row else { return Ok(()) };
            let (key, value) = row.map_err(|error| convert(&self.store.path, error))?;
            if visit(key.get(1..).unwrap_or_default(), &value).is_break() {
                return Ok(());
            }
        }
    }
}

fn prefixed(keyspace: Keyspace, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 1);
    full.push(keyspace.number());
    full.extend_from_slice(key);
    full
}

fn prefixed_range(keyspace: Keyspace, range: &KeyRange) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let from = match &range.from {
        Bound::Unbounded => Bound::Included(vec![keyspace.number()]),
        Bound::Included(key) => Bound::Included(prefixed(keyspace, key)),
        Bound::Excluded(key) => Bound::Excluded(prefixed(keyspace, key)),
    };
    let to = match &range.to {
        Bound::Unbounded => Bound::Excluded(vec![keyspace.number() + 1]),
        Bound::Included(key) => Bound::Included(prefixed(keyspace, key)),
        Bound::Excluded(key) => Bound::Excluded(prefixed(keyspace, key)),
    };
    (from, to)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sled's errors may grow, and the rest all mean the same here")]
fn convert(path: &Path, error: sled::Error) -> StoreError {
    let owned = path.to_path_buf();
    match error {
        sled::Error::Io(source) if source.to_string().contains("could not acquire lock") => {
            StoreError::Locked { path: owned }
        }
        sled::Error::Io(source) => StoreError::io(path, source),
        other => StoreError::Corrupt { path: owned, detail: other.to_string() },
    }
}
