//! Digests of what replicas have applied. Two replicas that have come to the same place in their log have the same digest, or one of
//! them is wrong.

use super::flusher::SHARD_KEYSPACES;
use super::group_record::GroupRecord;
use super::host::StateHost;
use super::keys::{self, Slot};
use super::records;
use crate::error::cold_error;
use crate::raft::GroupId;
use octopussy_ledger::ColdError;
use octopussy_store::{Direction, KeyRange, Keyspace, Snapshot};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::ops::ControlFlow;

/// What a replica has applied, in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaDigest {
    /// Its group: 0 is the control group, shard `n` is group `n + 1`.
    pub group: u16,
    /// The term and the index of the last entry that it has applied.
    pub applied: (u64, u64),
    /// SHA-256 of everything that the entries up to there have made of it.
    pub digest: [u8; 32],
}

impl StateHost {
    /// The digest of what is stored of a group; nothing when nothing is. Reads all of it: not for where somebody waits.
    ///
    /// # Errors
    /// [`ColdError`] when it cannot be read.
    pub(crate) fn digest(&self, group: GroupId) -> Result<Option<ReplicaDigest>, ColdError> {
        // The store is held, not the cell: writing to it, and reopening it, need not wait for this.
        let store = self.shared.store.guard().as_ref().map(std::sync::Arc::clone);
        let store = store.ok_or_else(|| ColdError("the store is being reopened".into()))?;
        let snapshot = store.snapshot().map_err(|error| cold_error(&error))?;
        let row = snapshot.get(Keyspace::Meta, &keys::group(group)).map_err(|error| cold_error(&error))?;
        let Some(record) = row.map(|row| records::decode::<GroupRecord>("a group", &row)).transpose()? else {
            return Ok(None);
        };
        let Some(applied) = record.applied else { return Ok(None) };
        let mut hasher = Sha256::new();
        hasher.update(records::encode("a group's place", &(applied, record.shard))?);
        match group.shard() {
            None => {
                let state = snapshot.get(Keyspace::Meta, keys::CONTROL).map_err(|error| cold_error(&error))?;
                hasher.update(state.unwrap_or_default());
            }
            Some(shard) => add_rows(&mut hasher, snapshot.as_ref(), record.slot(shard))?,
        }
        let place = (applied.committed_leader_id().term, applied.index);
        Ok(Some(ReplicaDigest { group: group.0, applied: place, digest: hasher.finalize().into() }))
    }
}

/// Adds the rows in a slot, each with its keyspace, and with the lengths of its parts so that no two sets of rows look alike.
fn add_rows(hasher: &mut Sha256, snapshot: &dyn Snapshot, slot: Slot) -> Result<(), ColdError> {
    let range = KeyRange::prefix(&slot.prefix());
    for keyspace in SHARD_KEYSPACES {
        let scanned = snapshot.scan(keyspace, &range, Direction::Forward, &mut |key, value| {
            // The slot differs between replicas: it counts the snapshots that were installed.
            let key = key.get(Slot::BYTES..).unwrap_or_default();
            hasher.update([keyspace.number()]);
            for part in [key, value] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
            ControlFlow::Continue(())
        });
        scanned.map_err(|error| cold_error(&error))?;
    }
    Ok(())
}
