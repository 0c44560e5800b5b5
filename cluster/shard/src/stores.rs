//! The two stores of a node, each of which can be reopened after it failed.

use crate::error::cold_error;
use octopussy_ledger::ColdError;
use octopussy_store::{Batch, Durability, Snapshot, Store, StoreError, StoreOptions};
use parking_lot::{RwLock, RwLockReadGuard};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a store is opened; tests put faults in between.
pub(crate) type Opener = Arc<dyn Fn(&Path, StoreOptions) -> Result<Arc<dyn Store>, StoreError> + Send + Sync>;

/// A store that can be closed and opened again while others hold the cell.
pub(crate) struct StoreCell {
    path: PathBuf,
    options: StoreOptions,
    opener: Opener,
    store: RwLock<Option<Arc<dyn Store>>>,
}

impl StoreCell {
    pub(crate) fn open(path: PathBuf, options: StoreOptions, opener: Opener) -> Result<Self, StoreError> {
        let store = opener(&path, options)?;
        Ok(Self { path, options, opener, store: RwLock::new(Some(store)) })
    }

    pub(crate) fn guard(&self) -> RwLockReadGuard<'_, Option<Arc<dyn Store>>> {
        self.store.read()
    }

    /// Commits to the open store.
    pub(crate) fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        match self.guard().as_ref() {
            Some(store) => store.commit(batch, durability),
            None => Err(StoreError::Failed { path: self.path.clone() }),
        }
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        let mut store = self.store.write();
        // The old one must let go of its lock first.
        *store = None;
        *store = Some((self.opener)(&self.path, self.options)?);
        Ok(())
    }

    /// Closes it for good.
    pub(crate) fn close(&self) {
        *self.store.write() = None;
    }

    /// Runs `action` on the open store.
    pub(crate) fn with<T>(&self, action: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, ColdError> {
        let store = self.guard();
        let store = store.as_ref().ok_or_else(|| ColdError("the store is being reopened".into()))?;
        action(store.as_ref()).map_err(|error| cold_error(&error))
    }

    /// Reads records of the open store as they are at one moment.
    pub(crate) fn read<T>(&self, action: impl FnOnce(&dyn Snapshot) -> Result<T, ColdError>) -> Result<T, ColdError> {
        let store = self.guard();
        let store = store.as_ref().ok_or_else(|| ColdError("the store is being reopened".into()))?;
        let snapshot = store.snapshot().map_err(|error| cold_error(&error))?;
        action(snapshot.as_ref())
    }
}
