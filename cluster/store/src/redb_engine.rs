//! redb: a copy-on-write B-tree in one file.

use crate::cached::read_from_disk;
use crate::{
    Batch, Direction, Durability, KeyRange, Keyspace, Operation, Snapshot, Store, StoreError, StoreOptions, Visit,
};
use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

const fn definition(keyspace: Keyspace) -> Definition {
    TableDefinition::new(keyspace.name())
}

/// A redb database.
pub(crate) struct RedbStore {
    database: Database,
    path: PathBuf,
    quick_reopen: bool,
    failed: AtomicBool,
}

impl RedbStore {
    pub(crate) fn open(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        match File::options().read(true).write(true).open(path) {
            Ok(file) => read_from_disk(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(|error| StoreError::io(path, error))?;
        let database = redb::Builder::new()
            .set_cache_size(options.cache_bytes)
            .create(path)
            .map_err(|error| convert(path, error.into()))?;
        let store = Self {
            database,
            path: path.to_path_buf(),
            quick_reopen: options.quick_reopen,
            failed: AtomicBool::new(false),
        };
        store.create_tables()?;
        Ok(store)
    }

    /// Makes the keyspaces, so that readers need not tell a missing table from an empty one.
    fn create_tables(&self) -> Result<(), StoreError> {
        let exists = {
            let read = self.database.begin_read().map_err(|error| convert(&self.path, error.into()))?;
            read.list_tables().map_err(|error| convert(&self.path, error.into()))?.count() == Keyspace::ALL.len()
        };
        if exists {
            return Ok(());
        }
        let write = self.begin(Durability::Fsync).map_err(|error| convert(&self.path, error))?;
        for keyspace in Keyspace::ALL {
            write.open_table(definition(keyspace)).map_err(|error| convert(&self.path, error.into()))?;
        }
        write.commit().map_err(|error| convert(&self.path, error.into()))
    }

    fn begin(&self, durability: Durability) -> Result<WriteTransaction, redb::Error> {
        let mut write = self.database.begin_write()?;
        match durability {
            Durability::Fsync => write.set_quick_repair(self.quick_reopen),
            Durability::Buffered => write.set_durability(redb::Durability::None)?,
        }
        Ok(write)
    }

    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), redb::Error> {
        let write = self.begin(durability)?;
        let operations = batch.grouped();
        for group in operations.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((keyspace, _)) = group.first() else { continue };
            let mut table = write.open_table(definition(*keyspace))?;
            for (_, operation) in group {
                match operation {
                    Operation::Put(key, value) => {
                        table.insert(key.as_slice(), value.as_slice())?;
                    }
                    Operation::Delete(key) => {
                        table.remove(key.as_slice())?;
                    }
                    Operation::DeleteRange(range) if range.is_empty() => {}
                    Operation::DeleteRange(range) => table.retain_in::<&[u8], _>(range.bounds(), |_, _| false)?,
                }
            }
        }
        Ok(write.commit()?)
    }
}

impl Store for RedbStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        let read = self.database.begin_read().map_err(|error| convert(&self.path, error.into()))?;
        Ok(Box::new(RedbSnapshot { read, path: &self.path }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.health()?;
        self.write(batch, durability).map_err(|error| {
            self.failed.store(true, Ordering::Release);
            convert(&self.path, error)
        })
    }

    fn size(&self) -> Result<u64, StoreError> {
        std::fs::metadata(&self.path).map(|file| file.len()).map_err(|error| StoreError::io(&self.path, error))
    }

    fn health(&self) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Failed { path: self.path.clone() });
        }
        Ok(())
    }
}

struct RedbSnapshot<'a> {
    read: ReadTransaction,
    path: &'a Path,
}

impl RedbSnapshot<'_> {
    fn find(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.read.open_table(definition(keyspace))?;
        Ok(table.get(key)?.map(|value| value.value().to_vec()))
    }

    fn walk(
        &self,
        keyspace: Keyspace,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), redb::Error> {
        let table = self.read.open_table(definition(keyspace))?;
        let mut rows = table.range::<&[u8]>(range.bounds())?;
        loop {
            let row = match direction {
                Direction::Forward => rows.next(),
                Direction::Reverse => rows.next_back(),
            };
            let Some(row) = row else { return Ok(()) };
            let (key, value) = row?;
            if visit(key.value(), value.value()).is_break() {
                return Ok(());
            }
        }
    }
}

impl Snapshot for RedbSnapshot<'_> {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.find(keyspace, key).map_err(|error| convert(self.path, error))
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
        self.walk(keyspace, range, direction, visit).map_err(|error| convert(self.path, error))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "redb's errors may grow, and the rest all mean the same here")]
fn convert(path: &Path, error: redb::Error) -> StoreError {
    let owned = path.to_path_buf();
    match error {
        redb::Error::Io(source) => StoreError::io(path, source),
        redb::Error::DatabaseAlreadyOpen => StoreError::Locked { path: owned },
        redb::Error::PreviousIo => StoreError::Failed { path: owned },
        redb::Error::UpgradeRequired(version) => StoreError::Corrupt {
            path: owned,
            detail: format!("it has the file format {version} of an old redb, which this build does not read"),
        },
        other => StoreError::Corrupt { path: owned, detail: other.to_string() },
    }
}
