//! Bringing the log of an earlier build, which lay in a store of its own, into segments.

use super::keys::Record;
use crate::stores::Opener;
use octopussy_store::{
    Batch, Direction, Durability, Engine, KeyRange, Keyspace, Snapshot, Store, StoreError, StoreOptions,
};
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

/// How many bytes are carried over at once.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// The cache for reading the old store.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Copies the log in the store `old`, if there is one, into segments at `new`, and deletes it. One that is interrupted begins
/// anew with the next start.
///
/// # Errors
/// When either cannot be read or written; the old log is as it was.
pub(crate) fn carry_over(old: &Path, engine: Engine, new: &Path, opener: &Opener) -> Result<(), StoreError> {
    if !old.exists() {
        return Ok(());
    }
    if !new.exists() {
        let draft = new.with_extension("draft");
        if draft.exists() {
            std::fs::remove_dir_all(&draft).map_err(|error| StoreError::io(&draft, error))?;
        }
        {
            let source = opener(old, StoreOptions { engine, cache_bytes: CACHE_BYTES, quick_reopen: false })?;
            let target =
                opener(&draft, StoreOptions { engine: Engine::Segments, cache_bytes: 0, quick_reopen: false })?;
            tracing::info!(from = %old.display(), to = %new.display(), "the log is brought into segments");
            let source = source.snapshot()?;
            copy(&*source, Keyspace::Meta, &Record::range(), &*target)?;
            copy(&*source, Keyspace::Log, &KeyRange::ALL, &*target)?;
            target.commit(&Batch::new(), Durability::Fsync)?;
        }
        std::fs::rename(&draft, new).map_err(|error| StoreError::io(new, error))?;
        sync_directory_of(new)?;
    }
    let removed = if old.is_dir() { std::fs::remove_dir_all(old) } else { std::fs::remove_file(old) };
    removed.map_err(|error| StoreError::io(old, error))
}

fn copy(source: &dyn Snapshot, keyspace: Keyspace, range: &KeyRange, target: &dyn Store) -> Result<(), StoreError> {
    let (mut batch, mut bytes, mut failed) = (Batch::new(), 0, None);
    source.scan(keyspace, range, Direction::Forward, &mut |key, value| {
        batch.put(keyspace, key, value);
        bytes += key.len() + value.len();
        if bytes >= PIECE_BYTES {
            bytes = 0;
            failed = target.commit(&std::mem::take(&mut batch), Durability::Buffered).err();
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(()), Err)?;
    target.commit(&batch, Durability::Buffered)
}

fn sync_directory_of(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| StoreError::io(parent, error))
}
