//! What is known of a group's log without asking the store.

use super::super::types::GroupId;
use super::life::Life;
use super::window::Window;
use super::{Entry, LogId, Vote};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// A group's log as it will be when everything in line is written: readers see writes from here at once.
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) state: Mutex<GroupState>,
}

/// Where a log begins and ends, its newest entries, and the group's small records.
#[derive(Default)]
pub(super) struct GroupState {
    pub(super) life: Option<Life>,
    /// Whether what is here is older than what this node wrote last.
    pub(super) restored: bool,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    /// The last entry, or what was purged last if there is none.
    pub(super) last: Option<LogId>,
    /// The index of the first entry; without entries, where the next may be at the earliest.
    pub(super) first: u64,
    pub(super) window: Window,
    /// Counts what takes entries away from the end, so that a reader notices it in the middle of reading.
    pub(super) truncations: u64,
}

/// How a range of entries is to be read.
#[derive(Default)]
pub(super) struct Plan {
    /// What lies in the store only, before the rest.
    pub(super) cold: Range<u64>,
    /// What is in memory.
    pub(super) warm: Vec<Arc<Entry>>,
    /// The count at the time of planning.
    pub(super) truncations: u64,
}

impl Group {
    pub(super) fn empty(id: GroupId) -> Self {
        Self { id, state: Mutex::default() }
    }
}

impl GroupState {
    /// Whether there is nothing of a replica: none was ever here, or it was deleted.
    pub(super) const fn is_empty(&self) -> bool {
        self.vote.is_none() && self.committed.is_none() && self.purged.is_none() && self.last.is_none()
    }

    /// Whether there are entries.
    pub(super) fn has_entries(&self) -> bool {
        self.last.is_some_and(|last| last.index >= self.first)
    }

    /// The index after the last entry, or after what was purged.
    pub(super) fn next(&self) -> u64 {
        self.last.map_or(self.first, |last| last.index + 1).max(self.first)
    }

    /// Whether an entry with this index may be appended. The first entry of an empty log may be anywhere behind what was
    /// purged: its leader knows.
    pub(super) fn accepts(&self, index: u64) -> bool {
        if self.has_entries() { index == self.next() } else { index >= self.first }
    }

    /// Adds an entry that `accepts` has agreed to.
    pub(super) fn append(&mut self, entry: Arc<Entry>, bytes: usize, job: u64) {
        let id = entry.log_id;
        if !self.has_entries() {
            self.first = id.index;
        }
        self.last = Some(id);
        self.window.push(id.index, entry, bytes, job);
    }

    /// Takes away the entries after `after`, all of them for `None`.
    pub(super) fn truncate(&mut self, after: Option<LogId>) {
        let from = after.map_or(0, |after| after.index + 1);
        if from >= self.next() {
            return;
        }
        self.truncations += 1;
        self.window.truncate(from);
        self.last = after.filter(|after| after.index >= self.first).or(self.purged);
    }

    /// The first and last of the entries up to `upto` that may lie in the store.
    pub(super) fn sweepable(&self, upto: LogId) -> Option<(u64, u64)> {
        let last = self.last.filter(|_| self.has_entries())?;
        let swept = (self.first, last.index.min(upto.index));
        (swept.0 <= swept.1).then_some(swept)
    }

    /// Drops the entries up to `upto`, which is further than what was purged so far.
    pub(super) fn purge(&mut self, upto: LogId) {
        self.purged = Some(upto);
        self.first = self.first.max(upto.index + 1);
        if self.last.is_none_or(|last| last.index <= upto.index) {
            self.last = Some(upto);
        }
        self.window.purge(upto.index);
    }

    /// How to read `range`, at most about `limit` bytes of it but at least one entry.
    pub(super) fn plan(&self, range: Range<u64>, limit: usize) -> Plan {
        let (from, to) = (range.start.max(self.first), range.end.min(self.next()));
        if from >= to || !self.has_entries() {
            return Plan { truncations: self.truncations, ..Plan::default() };
        }
        let warm_from = self.window.first().map_or(to, |first| first.clamp(from, to));
        let mut left = limit;
        let warm = self.window.range(warm_from, to).take_while(|(_, bytes)| {
            let fits = left > 0;
            left = left.saturating_sub(*bytes);
            fits
        });
        let warm = warm.map(|(entry, _)| Arc::clone(entry)).collect();
        Plan { cold: from..warm_from, warm, truncations: self.truncations }
    }
}
