//! The log of one group, as openraft uses it.

use super::super::types::{GroupId, TypeConfig};
use super::error::closed;
use super::group::{Group, GroupState};
use super::job::{Done, Job, Sweep};
use super::keys::{self, Record};
use super::shared::Shared;
use super::window::footprint;
use super::{Entry, LogId, Vote, reading};
use futures::Stream;
use octopussy_core::codec;
use octopussy_store::{Keyspace, Operation};
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{OptionalSend, alias::EntryOf};
use serde::Serialize;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;
use tokio::sync::oneshot;

/// How many bytes of entries are read at once for a follower or for applying: few enough for one message, enough to keep a
/// connection busy. A single larger entry is read all the same.
pub(crate) const READ_BYTES: usize = 1024 * 1024;

/// The log of one group: what its Raft writes to and reads from. Clones are of the same log; only one Raft at a time may
/// write, its replication tasks read.
#[derive(Clone)]
pub(crate) struct GroupLog {
    shared: Arc<Shared>,
    group: Arc<Group>,
}

impl GroupLog {
    pub(super) const fn new(shared: Arc<Shared>, group: Arc<Group>) -> Self {
        Self { shared, group }
    }

    /// Whose log it is.
    #[cfg(test)]
    pub(crate) fn id(&self) -> GroupId {
        self.group.id
    }

    /// The last entry, or the last that was purged if there is none after it.
    #[cfg(test)]
    pub(crate) fn last(&self) -> Option<LogId> {
        self.group.state.lock().last
    }

    /// The last entry that was purged.
    #[cfg(test)]
    pub(crate) fn purged(&self) -> Option<LogId> {
        self.group.state.lock().purged
    }

    /// The last vote.
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.group.state.lock().vote
    }
}

/// Encodes what always encodes.
pub(super) fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    codec::encode(value).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The write of a small record.
pub(super) fn put(record: Record, group: GroupId, value: Vec<u8>) -> (Keyspace, Operation) {
    (Keyspace::Meta, Operation::Put(record.key(group), value))
}

fn indexes(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(index) => *index,
        Bound::Excluded(index) => index.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(index) => index.saturating_add(1),
        Bound::Excluded(index) => *index,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<TypeConfig> for GroupLog {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        reading::entries(&self.shared, &self.group, indexes(&range), usize::MAX).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.vote())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        reading::entries(&self.shared, &self.group, start..end, READ_BYTES).await
    }

    /// Reads piece by piece, so that a long way to apply is never in memory as a whole.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<EntryOf<TypeConfig>, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        use futures::{StreamExt, TryStreamExt, stream};
        let pieces = stream::try_unfold((self.clone(), indexes(&range)), |(log, range)| async move {
            let piece = reading::entries(&log.shared, &log.group, range.clone(), READ_BYTES).await?;
            let Some(last) = piece.last() else { return Ok(None) };
            let rest = last.log_id.index + 1..range.end;
            Ok::<_, io::Error>(Some((stream::iter(piece).map(Ok), (log, rest))))
        });
        pieces.try_flatten()
    }
}

impl RaftLogStorage<TypeConfig> for GroupLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let state = self.group.state.lock();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let value = encode(vote)?;
        let place = self.shared.line.place(value.len()).await?;
        let (told, done) = oneshot::channel();
        let mut job = Job::new(Arc::clone(&self.group), place);
        job.writes.push(put(Record::Vote, self.group.id, value));
        job.urgent = true;
        job.done = Done::Caller(told);
        {
            let mut state = self.group.state.lock();
            self.shared.line.push([job])?;
            state.vote = Some(*vote);
        }
        done.await.map_err(|_| closed())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let mut state = self.group.state.lock();
        state.committed = committed;
        self.shared.line.note_committed(self.group.id, committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.group.state.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut writes = Vec::new();
        let mut shown = Vec::new();
        let mut appended = 0;
        for entry in entries {
            let value = encode(&entry)?;
            let size = footprint(&entry, value.len());
            appended += size;
            let key = keys::entry(self.group.id, entry.log_id.index);
            writes.push((Keyspace::Log, Operation::Put(key, value)));
            shown.push((Arc::new(entry), size));
        }
        let place = self.shared.line.place(appended).await?;
        let mut job = Job::new(Arc::clone(&self.group), place);
        job.writes = writes;
        job.urgent = true;
        job.appended = appended;
        job.done = Done::Appended(callback);
        let mut state = self.group.state.lock();
        if let Some(index) = misplaced(&state, &shown) {
            return Err(out_of_order(self.group.id, index));
        }
        let number = self.shared.line.push([job])?;
        for (entry, size) in shown {
            state.append(entry, size, number);
        }
        Ok(())
    }

    /// Waits for the disk: a snapshot that takes the place of what is truncated must not be there while that still is.
    async fn truncate_after(&mut self, after: Option<LogId>) -> Result<(), io::Error> {
        let from = after.map_or(0, |after| after.index + 1);
        let place = self.shared.line.place(0).await?;
        let (told, done) = oneshot::channel();
        let mut job = Job::new(Arc::clone(&self.group), place);
        let gone = keys::entries(self.group.id, from, u64::MAX);
        job.writes.push((Keyspace::Log, Operation::DeleteRange(gone)));
        job.urgent = true;
        job.done = Done::Caller(told);
        {
            let mut state = self.group.state.lock();
            self.shared.line.push([job])?;
            state.truncate(after);
        }
        done.await.map_err(|_| closed())
    }

    /// Does not wait for the disk: what comes back by a crash is dropped again when the group is started.
    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let value = encode(&upto)?;
        let place = self.shared.line.place(value.len()).await?;
        let mut job = Job::new(Arc::clone(&self.group), place);
        job.writes.push(put(Record::Purged, self.group.id, value));
        let mut state = self.group.state.lock();
        if state.purged.is_some_and(|purged| purged.index >= upto.index) {
            return Ok(());
        }
        let group = self.group.id;
        job.sweep = state.sweepable(upto).map(|(first, last)| Sweep { group, first, last });
        self.shared.line.push([job])?;
        state.purge(upto);
        Ok(())
    }
}

/// The index of the first entry that does not follow the one before it.
fn misplaced(state: &GroupState, entries: &[(Arc<Entry>, usize)]) -> Option<u64> {
    let mut indexes = entries.iter().map(|(entry, _)| entry.log_id.index);
    let first = indexes.next()?;
    if !state.accepts(first) {
        return Some(first);
    }
    indexes.zip(first + 1..).find(|(index, expected)| index != expected).map(|(index, _)| index)
}

fn out_of_order(group: GroupId, index: u64) -> io::Error {
    let text = format!("entry {index} does not follow the last one of group {group}");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
