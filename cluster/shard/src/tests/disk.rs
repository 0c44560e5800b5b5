//! Disks that fail as a test wants them to.

use crate::stores::Opener;
use octopussy_store::{Batch, Durability, Snapshot, Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What lies under one store.
#[derive(Default)]
pub(crate) struct Disk {
    /// Whether nothing can be written.
    pub(crate) full: AtomicBool,
    /// Whether whoever writes waits, until that ends or nothing can be written.
    pub(crate) stalled: AtomicBool,
    /// Of the reads from now on, the one at which the reader panics, counted from one; 0 for none.
    pub(crate) panic_at: AtomicU32,
}

struct Faulty {
    store: Arc<dyn Store>,
    disk: Arc<Disk>,
    path: PathBuf,
    failed: AtomicBool,
}

impl Store for Faulty {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        let count_down = |left: u32| left.checked_sub(1);
        let before = self.disk.panic_at.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down);
        assert_ne!(before, Ok(1), "a reader of the store was to panic");
        self.store.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        while self.disk.stalled.load(Ordering::SeqCst) && !self.disk.full.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        if self.failed.load(Ordering::SeqCst) {
            return Err(StoreError::Failed { path: self.path.clone() });
        }
        if self.disk.full.load(Ordering::SeqCst) {
            // Like an engine: after the first failure only reopening helps.
            self.failed.store(true, Ordering::SeqCst);
            return Err(StoreError::DiskFull { path: self.path.clone() });
        }
        self.store.commit(batch, durability)
    }

    fn size(&self) -> Result<u64, StoreError> {
        self.store.size()
    }

    fn health(&self) -> Result<(), StoreError> {
        self.store.health()
    }
}

/// Opens real stores; each that is named lies on its disk.
pub(crate) fn opener<const N: usize>(disks: [(&'static str, &Arc<Disk>); N]) -> Opener {
    let disks = disks.map(|(name, disk)| (name, Arc::clone(disk)));
    Arc::new(move |path: &Path, options| {
        let store = octopussy_store::open(path, options)?;
        let Some((_, disk)) = disks.iter().find(|(name, _)| path.ends_with(name)) else { return Ok(store) };
        let faulty = Faulty { store, disk: Arc::clone(disk), path: path.to_path_buf(), failed: AtomicBool::new(false) };
        Ok(Arc::new(faulty) as Arc<dyn Store>)
    })
}
