//! The writer: the one thread that waits for the disk on behalf of every group.

use super::group::Group;
use super::health::Side;
use super::job::{Done, Job, Sweep};
use super::keys::{self, Record};
use super::line::Taken;
use super::shared::Shared;
use crate::work::Worker;
use octopussy_core::codec;
use octopussy_store::{Batch, Durability, Keyspace, Operation, StoreError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How long to wait before a failed store is tried again.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How many purged entries are deleted in one batch: a few milliseconds' work, so that no append waits for a long purge.
const SWEEP_ENTRIES: u64 = 4_096;

/// How long the rest of a long purge waits when nothing else is written.
const SWEEP_PAUSE: Duration = Duration::from_millis(50);

/// How many bytes of recent entries stay in memory for all groups together: some seconds of the heaviest load, for
/// followers that are a little behind.
pub(super) const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// How many of them for one group, so that a busy one does not push out all others.
pub(super) const GROUP_CACHE_BYTES: usize = CACHE_BYTES / 4;

/// The size of the write that proves that a failed store works again: as large as a usual batch, because a disk with room
/// for a byte only is still full.
const PROBE_BYTES: usize = 64 * 1024;

const PROBE_KEY: &[u8] = b"probe";

/// A durable append whose entries are still in memory.
struct Recent {
    group: Arc<Group>,
    job: u64,
    bytes: usize,
}

/// Writes what is in line.
pub(super) struct Writer {
    shared: Arc<Shared>,
    sweeps: VecDeque<Sweep>,
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    _ending: Ending,
    /// Dropped last: whoever listens then finds the store closed.
    _running: Sender<()>,
}

impl Worker for Writer {
    /// Runs until the line is closed and everything in it is written or given up. Closes the store then.
    fn run(mut self) {
        loop {
            let taken = self.shared.line.take((!self.sweeps.is_empty()).then_some(SWEEP_PAUSE));
            if !self.take_over(taken) {
                return;
            }
        }
    }

    #[cfg(test)]
    fn turn(&mut self) -> bool {
        if !self.shared.line.is_due() {
            return true;
        }
        let taken = self.shared.line.take(Some(Duration::ZERO));
        self.take_over(taken)
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, sweeps: Vec<Sweep>, running: Sender<()>) -> Self {
        let ending = Ending(Arc::clone(&shared));
        Self {
            shared,
            sweeps: sweeps.into(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            _ending: ending,
            _running: running,
        }
    }

    /// Writes what was in line. Says whether there may be more.
    fn take_over(&mut self, taken: Taken) -> bool {
        let closed = taken.closed;
        !self.shared.abandoned.load(Ordering::Acquire) && self.write(taken) && !closed
    }

    /// Writes everything in one batch and tells everybody. Says whether that was done; if not, the line is closed.
    fn write(&mut self, mut taken: Taken) -> bool {
        let batch = self.fold(&mut taken);
        if !batch.is_empty() && !self.persist(&batch) {
            return false;
        }
        let first = taken.last - taken.jobs.len() as u64 + 1;
        let mut appended = Vec::new();
        let mut callbacks = Vec::new();
        for (job, number) in taken.jobs.into_iter().zip(first..) {
            match job.done {
                Done::Nobody => {}
                Done::Appended(callback) => callbacks.push(callback),
                Done::Caller(told) => {
                    // Whoever has gone away does not mind.
                    let _ = told.send(());
                }
            }
            if job.appended > 0 {
                appended.push(Recent { group: job.group, job: number, bytes: job.appended });
            }
        }
        // The last of a group first, which makes the others news of the past: openraft's core takes a look for each change
        // that it is told of, and pauses for a millisecond between two that follow each other closely.
        for callback in callbacks.into_iter().rev() {
            callback.io_completed(Ok(()));
        }
        self.bound_memory(appended);
        true
    }

    /// Puts all writes into one batch, in the order of the line.
    fn fold(&mut self, taken: &mut Taken) -> Batch {
        let mut batch = Batch::new();
        for job in &mut taken.jobs {
            self.fold_job(&mut batch, job);
        }
        for (group, committed) in &taken.committed {
            let key = Record::Committed.key(*group);
            match committed.as_ref().map(codec::encode) {
                Some(Ok(value)) => batch.put(Keyspace::Meta, key, value),
                Some(Err(error)) => tracing::error!(%error, "an id does not encode"),
                None => batch.delete(Keyspace::Meta, key),
            }
        }
        self.fold_sweeps(&mut batch);
        batch
    }

    fn fold_job(&mut self, batch: &mut Batch, job: &mut Job) {
        if job.forgets {
            let gone = job.group.id;
            // What is swept later must not meet the entries of a group that has come back.
            self.sweeps.retain(|sweep| sweep.group != gone);
        }
        for (keyspace, operation) in job.writes.drain(..) {
            match operation {
                Operation::Put(key, value) => batch.put(keyspace, key, value),
                Operation::Delete(key) => batch.delete(keyspace, key),
                Operation::DeleteRange(range) => batch.delete_range(keyspace, range),
            }
        }
        self.sweeps.extend(job.sweep);
    }

    fn fold_sweeps(&mut self, batch: &mut Batch) {
        let mut left = SWEEP_ENTRIES;
        while left > 0
            && let Some(sweep) = self.sweeps.pop_front()
        {
            let last = sweep.last.min(sweep.first + left - 1);
            batch.delete_range(Keyspace::Log, keys::entries(sweep.group, sweep.first, last));
            left -= last - sweep.first + 1;
            if last < sweep.last {
                self.sweeps.push_front(Sweep { first: last + 1, ..sweep });
            }
        }
    }

    /// Commits the batch, however long that takes. Says whether it was done before the line was closed.
    fn persist(&self, batch: &Batch) -> bool {
        loop {
            // A failed commit may have landed or not; every write is one that may be repeated.
            match self.shared.store.commit(batch, Durability::Fsync) {
                Ok(()) => {
                    self.shared.syncs.fetch_add(1, Ordering::Relaxed);
                    self.shared.health.clear(Side::Writing);
                    return true;
                }
                Err(error) => self.shared.health.set(Side::Writing, &error),
            }
            loop {
                if self.shared.line.wait_closed(RETRY_AFTER) {
                    tracing::error!("the log is closed while its store fails; what was not acknowledged is given up");
                    return false;
                }
                match self.revive() {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::debug!(%error, "the store of the log still fails");
                        self.shared.health.set(Side::Writing, &error);
                    }
                }
            }
        }
    }

    /// Opens the store anew and proves that it can be written.
    fn revive(&self) -> Result<(), StoreError> {
        self.shared.store.reopen()?;
        let mut probe = Batch::new();
        probe.put(Keyspace::Meta, PROBE_KEY, vec![0; PROBE_BYTES]);
        self.shared.store.commit(&probe, Durability::Fsync)?;
        let mut sweep = Batch::new();
        sweep.delete(Keyspace::Meta, PROBE_KEY);
        self.shared.store.commit(&sweep, Durability::Fsync)
    }

    /// Lets go of the oldest entries beyond what may stay in memory.
    fn bound_memory(&mut self, appended: Vec<Recent>) {
        for recent in appended {
            self.shared.appended_bytes.fetch_add(recent.bytes as u64, Ordering::Relaxed);
            recent.group.state.lock().window.evict(recent.job, GROUP_CACHE_BYTES);
            self.recent_bytes += recent.bytes;
            self.recent.push_back(recent);
        }
        while self.recent_bytes > CACHE_BYTES
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes -= oldest.bytes;
            oldest.group.state.lock().window.evict(oldest.job, 0);
        }
    }
}

/// Closes the line and the store however the writer ends.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.health.set(Side::Writing, &StoreError::Failed { path: self.0.path.clone() });
        }
        self.0.line.close();
        // Those who have got in line meanwhile are told as well.
        drop(self.0.line.take(None));
        self.0.store.close();
    }
}
