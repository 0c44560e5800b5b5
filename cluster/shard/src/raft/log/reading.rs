//! Reading entries, from memory and from the store.

use super::super::types::GroupId;
use super::group::Group;
use super::health::Side;
use super::shared::Shared;
use super::writer::RETRY_AFTER;
use super::{Entry, error, keys};
use crate::work;
use octopussy_core::codec;
use octopussy_store::{Direction, Keyspace, StoreError};
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Why entries could not be read from the store.
enum Unread {
    /// The store does not work at present.
    Store(StoreError),
    /// They are not as they should be, which trying again does not change.
    Damaged(String),
}

/// The entries of `range` that there are, at most about `limit` bytes of them but at least one. A store that fails is
/// waited for.
///
/// # Errors
/// When entries are missing or damaged, or the host is closed.
pub(super) async fn entries(
    shared: &Arc<Shared>,
    group: &Arc<Group>,
    range: Range<u64>,
    limit: usize,
) -> io::Result<Vec<Entry>> {
    loop {
        let plan = group.state.lock().plan(range.clone(), limit);
        if plan.cold.is_empty() {
            return Ok(plan.warm.iter().map(|entry| Entry::clone(entry)).collect());
        }
        let cold = read_cold(shared, group, plan.cold.clone(), limit).await?;
        let first = {
            let state = group.state.lock();
            if state.truncations != plan.truncations || state.first >= plan.cold.end {
                // What was read and what is in memory may be of different times: they do not go together.
                continue;
            }
            state.first
        };
        let mut found = cold.entries;
        // What has been purged meanwhile may be missing at the beginning, nothing else.
        let begin = plan.cold.start.max(first);
        found.retain(|entry| entry.log_id.index >= begin);
        let gap = found.iter().zip(begin..).find(|(entry, index)| entry.log_id.index != *index);
        if let Some((_, index)) = gap {
            return Err(missing(group, index));
        }
        let next = begin + found.len() as u64;
        if next < plan.cold.end && (cold.bytes < limit || found.is_empty()) {
            return Err(missing(group, next));
        }
        if limit == usize::MAX {
            found.extend(plan.warm.iter().map(|entry| Entry::clone(entry)));
        }
        return Ok(found);
    }
}

fn missing(group: &Group, index: u64) -> io::Error {
    let text = format!("entry {index} of group {} is missing in the log", group.id);
    io::Error::new(io::ErrorKind::InvalidData, text)
}

struct Cold {
    entries: Vec<Entry>,
    bytes: usize,
}

async fn read_cold(shared: &Arc<Shared>, group: &Group, range: Range<u64>, limit: usize) -> io::Result<Cold> {
    loop {
        let (reader, id, wanted) = (Arc::clone(shared), group.id, range.clone());
        let read = work::blocking(move || {
            #[cfg(test)]
            reader.cold_reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            read_rows(&reader, id, &wanted, limit)
        });
        match read.await.map_err(io::Error::other)? {
            Ok(cold) => {
                shared.health.clear(Side::Reading);
                return Ok(cold);
            }
            Err(Unread::Damaged(detail)) => return Err(io::Error::new(io::ErrorKind::InvalidData, detail)),
            Err(Unread::Store(error)) => shared.health.set(Side::Reading, &error),
        }
        tokio::time::sleep(RETRY_AFTER).await;
        if shared.line.is_closed() {
            return Err(error::closed());
        }
    }
}

fn read_rows(shared: &Shared, id: GroupId, range: &Range<u64>, limit: usize) -> Result<Cold, Unread> {
    let guard = shared.store.guard();
    let Some(store) = guard.as_ref() else {
        return Err(Unread::Store(StoreError::Failed { path: shared.path.clone() }));
    };
    let mut cold = Cold { entries: Vec::new(), bytes: 0 };
    let mut damaged = None;
    let keys = keys::entries(id, range.start, range.end.saturating_sub(1));
    let snapshot = store.snapshot().map_err(Unread::Store)?;
    let scanned = snapshot.scan(Keyspace::Log, &keys, Direction::Forward, &mut |_, value| {
        match codec::decode(value) {
            Ok(entry) => cold.entries.push(entry),
            Err(error) => {
                damaged = Some(format!("an entry of group {id}: {error}"));
                return ControlFlow::Break(());
            }
        }
        cold.bytes = cold.bytes.saturating_add(value.len());
        if cold.bytes >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    scanned.map_err(Unread::Store)?;
    damaged.map_or(Ok(cold), |detail| Err(Unread::Damaged(detail)))
}
