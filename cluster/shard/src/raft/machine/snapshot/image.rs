//! Makes a snapshot's file of one moment of the stored state.

use super::super::flush_signal::Closed;
use super::super::flusher::SHARD_KEYSPACES;
use super::super::group_record::{GroupRecord, SnapshotMeta};
use super::super::keys::{self, Slot};
use super::super::records;
use super::super::shared::Shared;
use super::SnapshotError;
use super::format::{Head, ImageWriter};
use super::temporary::TemporaryFile;
use crate::error::cold_error;
use crate::raft::GroupId;
use octopussy_store::{Direction, KeyRange, Keyspace, Snapshot};
use std::io;
use std::ops::ControlFlow;

/// Writes the stored state of a group to `file`, if it still is the one that `meta` speaks of. Takes little memory, however
/// much there is.
pub(super) fn write(
    shared: &Shared,
    group: GroupId,
    meta: &SnapshotMeta,
    file: &TemporaryFile,
) -> Result<(), SnapshotError> {
    let found = write_if(shared, group, file, |record| record.is_of(meta))?;
    if found.is_some() { Ok(()) } else { Err(SnapshotError::Stale) }
}

/// Writes the stored state of a group to `file` as it is now, and says how far it has come. Takes little memory, however much
/// there is.
pub(in super::super) fn write_present(
    shared: &Shared,
    group: GroupId,
    file: &TemporaryFile,
) -> Result<SnapshotMeta, SnapshotError> {
    let found = write_if(shared, group, file, |record| record.applied.is_some())?;
    found.ok_or_else(|| SnapshotError::Store("this node has nothing of the group any more".into()))
}

fn write_if(
    shared: &Shared,
    group: GroupId,
    file: &TemporaryFile,
    wanted: impl FnOnce(&GroupRecord) -> bool,
) -> Result<Option<SnapshotMeta>, SnapshotError> {
    // The store is held, not the cell: writing to it, and reopening it, need not wait for this.
    let store = shared.store.guard().as_ref().map(std::sync::Arc::clone);
    let store = store.ok_or_else(|| SnapshotError::Store("the store is being reopened".into()))?;
    let snapshot = store.snapshot().map_err(|error| cold_error(&error))?;
    let record = snapshot.get(Keyspace::Meta, &keys::group(group)).map_err(|error| cold_error(&error))?;
    let record: GroupRecord =
        record.map_or_else(|| Ok(GroupRecord::default()), |row| records::decode("a group", &row))?;
    if !wanted(&record) {
        return Ok(None);
    }
    let meta = record.meta();
    let mut image = ImageWriter::create(file.path(), &Head { group, meta: meta.clone(), shard: record.shard })?;
    match group.shard() {
        None => control_rows(snapshot.as_ref(), &mut image)?,
        Some(shard) => shard_rows(shared, snapshot.as_ref(), record.slot(shard), &mut image)?,
    }
    image.finish()?;
    Ok(Some(meta))
}

fn control_rows(snapshot: &dyn Snapshot, image: &mut ImageWriter) -> Result<(), SnapshotError> {
    let state = snapshot.get(Keyspace::Meta, keys::CONTROL).map_err(|error| cold_error(&error))?;
    state.map_or(Ok(()), |state| image.row(Keyspace::Meta, keys::CONTROL, &state))
}

fn shard_rows(
    shared: &Shared,
    snapshot: &dyn Snapshot,
    slot: Slot,
    image: &mut ImageWriter,
) -> Result<(), SnapshotError> {
    let range = KeyRange::prefix(&slot.prefix());
    for keyspace in SHARD_KEYSPACES {
        let mut written = Ok(());
        let scanned = snapshot.scan(keyspace, &range, Direction::Forward, &mut |key, value| {
            // A large shard must not keep the node from stopping.
            written = if shared.signal.is_closing() {
                Err(io::Error::other(Closed).into())
            } else {
                image.row(keyspace, key.get(Slot::BYTES..).unwrap_or_default(), value)
            };
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(|error| cold_error(&error))?;
        written?;
    }
    Ok(())
}
