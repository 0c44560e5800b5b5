//! Reading where each log ends.

use super::super::types::GroupId;
use super::error::LogOpenError;
use super::group::{Group, GroupState};
use super::job::Sweep;
use super::keys::{self, Record};
use super::life::{Life, SCHEMA};
use super::{Entry, LogId};
use crate::stores::StoreCell;
use octopussy_core::codec;
use octopussy_store::{Direction, KeyRange, Keyspace, Snapshot, StoreError};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

/// What was found in the store.
#[derive(Default)]
pub(super) struct Found {
    pub(super) groups: BTreeMap<GroupId, Arc<Group>>,
    /// Entries that were purged and not yet deleted.
    pub(super) sweeps: Vec<Sweep>,
}

/// Reads the small records of every group, and of its entries the first and the last.
pub(super) fn load(path: &Path, store: &StoreCell) -> Result<Found, LogOpenError> {
    let guard = store.guard();
    let Some(store) = guard.as_ref() else {
        return Err(StoreError::Failed { path: path.to_path_buf() }.into());
    };
    let snapshot = store.snapshot()?;
    let mut states = records(path, &*snapshot)?;
    let mut sweeps = Vec::new();
    let mut next = Some(GroupId(0));
    while let Some(from) = next {
        let Some((id, first)) = first_entry(path, &*snapshot, from)? else { break };
        let state = states.entry(id).or_default();
        if let Some(sweep) = find_ends(path, &*snapshot, id, first, state)? {
            sweeps.push(sweep);
        }
        next = id.0.checked_add(1).map(GroupId);
    }
    let groups = states.into_iter().map(|(id, state)| (id, Arc::new(Group { id, state: Mutex::new(state) })));
    Ok(Found { groups: groups.collect(), sweeps })
}

fn decode<T: DeserializeOwned>(path: &Path, what: &str, group: GroupId, bytes: &[u8]) -> Result<T, LogOpenError> {
    codec::decode(bytes).map_err(|error| LogOpenError::record(path, format!("{what} of group {group}: {error}")))
}

fn records(path: &Path, snapshot: &dyn Snapshot) -> Result<BTreeMap<GroupId, GroupState>, LogOpenError> {
    let mut states = BTreeMap::<GroupId, GroupState>::new();
    for (key, value) in snapshot.page(Keyspace::Meta, &Record::range(), Direction::Forward, usize::MAX)? {
        let Some((group, record)) = Record::parse(&key) else {
            return Err(LogOpenError::record(path, format!("the record {} is of an unknown kind", hex::encode(&key))));
        };
        let state = states.entry(group).or_default();
        match record {
            Record::Life => {
                let life: Life = decode(path, "which replica is here", group, &value)?;
                if life.schema != SCHEMA {
                    let text = format!(
                        "which replica of group {group} is here is written as of schema {}, not {SCHEMA}",
                        life.schema
                    );
                    return Err(LogOpenError::record(path, text));
                }
                state.life = Some(life);
            }
            Record::Vote => state.vote = Some(decode(path, "the vote", group, &value)?),
            Record::Committed => state.committed = Some(decode(path, "what is committed", group, &value)?),
            Record::Purged => {
                let purged: LogId = decode(path, "what was purged", group, &value)?;
                state.purged = Some(purged);
                state.last = Some(purged);
                state.first = purged.index + 1;
            }
        }
    }
    Ok(states)
}

/// The first entry of the first group from `from` on.
fn first_entry(path: &Path, snapshot: &dyn Snapshot, from: GroupId) -> Result<Option<(GroupId, u64)>, LogOpenError> {
    let range = KeyRange { from: Bound::Included(keys::entry(from, 0)), to: Bound::Unbounded };
    let Some((key, _)) = snapshot.page(Keyspace::Log, &range, Direction::Forward, 1)?.pop() else { return Ok(None) };
    match keys::parse_entry(&key) {
        Some(found) => Ok(Some(found)),
        None => Err(LogOpenError::record(path, format!("the key {} is not one of an entry", hex::encode(&key)))),
    }
}

/// Notes where the log of a group begins and ends. Answers with what was purged but is still there.
fn find_ends(
    path: &Path,
    snapshot: &dyn Snapshot,
    id: GroupId,
    first: u64,
    state: &mut GroupState,
) -> Result<Option<Sweep>, LogOpenError> {
    let range = keys::entries(id, 0, u64::MAX);
    let rows = snapshot.page(Keyspace::Log, &range, Direction::Reverse, 1)?;
    let last = rows.first().map(|(_, value)| decode::<Entry>(path, "the last entry", id, value)).transpose()?;
    let Some(last) = last.map(|entry| entry.log_id) else { return Ok(None) };
    let purged = state.purged.map(|purged| purged.index);
    if purged.is_none_or(|purged| last.index > purged) {
        state.last = Some(last);
        state.first = purged.map_or(first, |purged| first.max(purged + 1));
    }
    let swept = purged.filter(|purged| first <= *purged);
    Ok(swept.map(|purged| Sweep { group: id, first, last: purged.min(last.index) }))
}
