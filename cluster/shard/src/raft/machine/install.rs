//! Puts a snapshot in the place of what a group has applied.

use super::flush_signal::Closed;
use super::flusher::{clear, put_group};
use super::group_record::{GroupRecord, SnapshotMeta};
use super::keys::{self, Slot};
use super::opening;
use super::records;
use super::shard::ShardMachine;
use super::shard_cell::ShardState;
use super::shared::{Garbage, Shared};
use super::snapshot::{Head, ImageReader, SnapshotError, SnapshotFile};
use crate::error::cold_error;
use crate::raft::GroupId;
use octopussy_control::ControlState;
use octopussy_ledger::{ColdError, Machine};
use octopussy_store::{Batch, Durability, Keyspace};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much of a snapshot is written in one transaction: bounds memory.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Puts a shard's snapshot in the place of what it has applied. Observers are told nothing.
///
/// The rows go into a slot of their own; the transaction that makes it the shard's is one. A crash before it leaves the shard as it
/// was, and what was written is deleted at the next start.
pub(super) async fn shard(machine: &ShardMachine, meta: &SnapshotMeta, mut file: SnapshotFile) -> io::Result<()> {
    let shared = &machine.shared;
    // Nothing is applied meanwhile: after this nothing of the old state is on its way into the store.
    shared.signal.flush().await.map_err(io::Error::other)?;
    let old = machine.cell.state.read().slot;
    loop {
        let (shared, meta, progress) = (Arc::clone(shared), meta.clone(), file.progress());
        let written = file.with_path(move |path| write_shard(&shared, old, &meta, path, &progress)).await;
        let shared = &machine.shared;
        match written {
            Ok((restored, record)) => {
                put_in_place(machine, old, restored, &record);
                return Ok(());
            }
            Err(SnapshotError::Store(error)) => {
                tracing::warn!(%error, shard = %old.shard, "a snapshot cannot be installed yet");
                shared.insist(|| probe(shared)).await.map_err(io::Error::other)?;
            }
            Err(error @ (SnapshotError::Stale | SnapshotError::Io(_) | SnapshotError::Damaged(_))) => {
                return Err(io::Error::other(error));
            }
        }
    }
}

/// Whether the store takes writes.
fn probe(shared: &Shared) -> Result<(), ColdError> {
    shared.store.commit(&Batch::new(), Durability::Fsync).map_err(|error| cold_error(&error))
}

fn put_in_place(machine: &ShardMachine, old: Slot, restored: Machine, record: &GroupRecord) {
    let shared = &machine.shared;
    {
        let mut state = machine.cell.state.write();
        *state = ShardState::stored(record.slot(old.shard), restored, record);
        machine.cell.hot_bytes.store(state.machine.hot_bytes(), Ordering::Relaxed);
    }
    shared.garbage.lock().push(Garbage { slot: old, whole: false });
    shared.signal.touched();
}

/// Writes the rows beside those of `old` and makes them the shard's.
fn write_shard(
    shared: &Shared,
    old: Slot,
    meta: &SnapshotMeta,
    path: &Path,
    progress: &AtomicU64,
) -> Result<(Machine, GroupRecord), SnapshotError> {
    let mut image = ImageReader::open(path)?;
    let head = check_head(&image, GroupId::of(old.shard), meta)?;
    let slot = old.next();
    let mut batch = Batch::new();
    clear(slot, &mut batch);
    batch.put(Keyspace::Meta, keys::garbage(slot), Vec::new());
    let mut bytes = 0;
    while let Some((keyspace, key, value)) = image.next()? {
        bytes += key.len() + value.len();
        batch.put(keyspace, slot.key(&[&key]), value);
        if bytes >= CHUNK_BYTES {
            commit(shared, std::mem::take(&mut batch))?;
            progress.fetch_add(bytes as u64, Ordering::Relaxed);
            bytes = 0;
        }
    }
    commit(shared, std::mem::take(&mut batch))?;
    let record = GroupRecord {
        generation: slot.generation,
        applied: meta.last_log_id,
        membership: meta.last_membership.clone(),
        shard: head.shard,
    };
    // Before the slot is the shard's: if it cannot be read, all begins anew.
    let machine = opening::machine(slot, &record, &shared.store)?;
    put_group(GroupId::of(old.shard), &record, &mut batch)?;
    batch.delete(Keyspace::Meta, keys::garbage(slot));
    batch.put(Keyspace::Meta, keys::garbage(old), Vec::new());
    commit(shared, batch)?;
    Ok((machine, record))
}

/// Durably each time: if the store is reopened meanwhile, nothing that was written is lost.
fn commit(shared: &Shared, batch: Batch) -> Result<(), SnapshotError> {
    shared.store.commit(&batch, Durability::Fsync).map_err(|error| cold_error(&error).into())
}

fn check_head(image: &ImageReader, group: GroupId, meta: &SnapshotMeta) -> Result<Head, SnapshotError> {
    let head = image.head().clone();
    if head.group != group || head.meta != *meta {
        return Err(SnapshotError::Damaged(format!("it is of group {} at {}", head.group, head.meta)));
    }
    Ok(head)
}

/// Puts a snapshot of the control group in the place of what it has applied, durably.
pub(super) async fn control(shared: &Shared, meta: &SnapshotMeta, mut file: SnapshotFile) -> io::Result<()> {
    let expected = meta.clone();
    let state = file.with_path(move |path| read_control(path, &expected)).await.map_err(io::Error::other)?;
    {
        let mut inner = shared.control.inner.lock();
        // It is the leader's, whatever an earlier replica had.
        inner.known = None;
        shared.learn_count(&state);
        inner.state = Arc::new(state);
        inner.applied = meta.last_log_id;
        inner.membership = meta.last_membership.clone();
        inner.touched = true;
    }
    shared.control.publish();
    let flushed: Result<(), Closed> = shared.signal.flush().await;
    flushed.map_err(io::Error::other)
}

fn read_control(path: &Path, meta: &SnapshotMeta) -> Result<ControlState, SnapshotError> {
    let mut image = ImageReader::open(path)?;
    check_head(&image, GroupId::CONTROL, meta)?;
    let mut state = None;
    while let Some((_, _, value)) = image.next()? {
        state = Some(records::decode("the control group", &value)?);
    }
    Ok(state.unwrap_or_default())
}
