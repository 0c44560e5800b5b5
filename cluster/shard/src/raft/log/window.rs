//! The entries at the end of a log, in memory.

use super::super::types::Entries;
use super::Entry;
use openraft::EntryPayload;
use std::collections::VecDeque;
use std::sync::Arc;

/// What an entry in memory counts beside its encoded bytes: itself and its place here.
const ENTRY_OVERHEAD: usize = 192;

/// What each command of it counts beside that: its fixed part, and the boxes and counts of what it holds.
const COMMAND_OVERHEAD: usize = 256;

/// The bytes an entry counts in memory, which are more than when it is encoded.
pub(super) fn footprint(entry: &Entry, encoded: usize) -> usize {
    let commands = match &entry.payload {
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
        EntryPayload::Normal(Entries::Shard(commands)) => commands.len(),
        EntryPayload::Normal(Entries::Control(commands)) => commands.len(),
    };
    encoded + ENTRY_OVERHEAD + commands * COMMAND_OVERHEAD
}

struct Slot {
    entry: Arc<Entry>,
    bytes: usize,
    /// The job that writes it.
    job: u64,
}

/// The last entries of a log, without gaps. It holds at least all that are not on the disk yet.
#[derive(Default)]
pub(super) struct Window {
    first: u64,
    slots: VecDeque<Slot>,
    bytes: usize,
}

impl Window {
    /// The index of its first entry; `None` when it is empty.
    pub(super) fn first(&self) -> Option<u64> {
        (!self.slots.is_empty()).then_some(self.first)
    }

    /// The bytes it counts.
    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the entry after the last one. Its index counts only if the window is empty.
    pub(super) fn push(&mut self, index: u64, entry: Arc<Entry>, bytes: usize, job: u64) {
        if self.slots.is_empty() {
            self.first = index;
        }
        self.bytes += bytes;
        self.slots.push_back(Slot { entry, bytes, job });
    }

    /// The entries from `from` on, before `to`, with their bytes. `from` must not be before the first.
    pub(super) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = (&Arc<Entry>, usize)> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let take = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        self.slots.iter().skip(skip).take(take).map(|slot| (&slot.entry, slot.bytes))
    }

    /// Drops the entries from `index` on.
    pub(super) fn truncate(&mut self, index: u64) {
        let keep = usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX);
        while self.slots.len() > keep {
            self.drop_last();
        }
    }

    /// Drops the entries up to `index`, whether they are on the disk or not.
    pub(super) fn purge(&mut self, index: u64) {
        while !self.slots.is_empty() && self.first <= index {
            self.drop_first();
        }
    }

    /// Drops entries from the front that are written by jobs up to `job`, which is done, while more than `keep` bytes are left.
    pub(super) fn evict(&mut self, job: u64, keep: usize) {
        while self.bytes > keep && self.slots.front().is_some_and(|slot| slot.job <= job) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(slot) = self.slots.pop_front() {
            self.bytes -= slot.bytes;
            self.first += 1;
        }
    }

    fn drop_last(&mut self) {
        if let Some(slot) = self.slots.pop_back() {
            self.bytes -= slot.bytes;
        }
    }
}
