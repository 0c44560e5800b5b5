//! The line before the writer: many put, one takes.

use super::super::types::GroupId;
use super::LogId;
use super::error::closed;
use super::job::{JOB_OVERHEAD, Job};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes may be in line or being written: a second's work of a slow disk, and all that a stalled disk can cost in
/// memory. Each job counts [`JOB_OVERHEAD`] beside its bytes, so that there are at most 65 536 of them.
pub(super) const LINE_BYTES: usize = 32 * 1024 * 1024;

/// How long a write that nobody waits for is kept back for others to join.
pub(super) const LAZY: Duration = Duration::from_secs(1);

/// What the writer takes at once.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) jobs: Vec<Job>,
    /// The number of the last job; they are counted from one on.
    pub(super) last: u64,
    /// What is known to be committed, of the groups where that has changed. All of it was appended before.
    pub(super) committed: BTreeMap<GroupId, Option<LogId>>,
    /// Nothing more will come.
    pub(super) closed: bool,
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    last: u64,
    committed: BTreeMap<GroupId, Option<LogId>>,
    urgent: bool,
    lazy_since: Option<Instant>,
    closed: bool,
}

/// The line before the writer.
pub(super) struct Line {
    state: Mutex<State>,
    arrived: Condvar,
    places: Arc<Semaphore>,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), arrived: Condvar::new(), places: Arc::new(Semaphore::new(LINE_BYTES)) }
    }

    /// Waits for a place for a job of so many bytes. Places are given in the order of asking.
    pub(super) async fn place(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let wanted = u32::try_from((bytes + JOB_OVERHEAD).min(LINE_BYTES)).unwrap_or(u32::MAX);
        Arc::clone(&self.places).acquire_many_owned(wanted).await.map_err(|_| closed())
    }

    /// Puts jobs in line, which are written together, and answers with the number of the last.
    pub(super) fn push(&self, jobs: impl IntoIterator<Item = Job>) -> io::Result<u64> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(closed());
        }
        let mut wake = false;
        for job in jobs {
            if job.forgets {
                state.committed.remove(&job.group.id);
            }
            wake |= job.urgent && !state.urgent;
            state.urgent |= job.urgent;
            state.last += 1;
            state.jobs.push(job);
        }
        if !state.urgent && state.lazy_since.is_none() {
            state.lazy_since = Some(Instant::now());
            wake = true;
        }
        let last = state.last;
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(last)
    }

    /// Notes what is known to be committed. It is written together with the next job or at the end, never by itself.
    pub(super) fn note_committed(&self, group: GroupId, committed: Option<LogId>) {
        self.state.lock().committed.insert(group, committed);
    }

    /// Takes everything in line once somebody waits for some of it, it has waited long enough, or `patience` has run out.
    pub(super) fn take(&self, patience: Option<Duration>) -> Taken {
        let limit = patience.map(|patience| Instant::now() + patience);
        let mut state = self.state.lock();
        loop {
            let lazy = state.lazy_since.map(|since| since + LAZY);
            let until = match (lazy, limit) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            let due = until.is_some_and(|until| Instant::now() >= until);
            if state.urgent || state.closed || due {
                break;
            }
            match until {
                Some(until) => {
                    self.arrived.wait_until(&mut state, until);
                }
                None => self.arrived.wait(&mut state),
            }
        }
        state.urgent = false;
        state.lazy_since = None;
        Taken {
            jobs: std::mem::take(&mut state.jobs),
            last: state.last,
            committed: std::mem::take(&mut state.committed),
            closed: state.closed,
        }
    }

    /// Lets nobody in any more. Those who wait for a place are sent away.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.places.close();
        self.arrived.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Waits at most `limit` for the closing.
    pub(super) fn wait_closed(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut state = self.state.lock();
        while !state.closed {
            if self.arrived.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        state.closed
    }

    /// Whether somebody waits for what is in line, or nothing more will come.
    #[cfg(test)]
    pub(super) fn is_due(&self) -> bool {
        let state = self.state.lock();
        state.urgent || state.closed
    }

    /// Whether nothing stands in line.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().jobs.is_empty()
    }

    /// The bytes that stand in line or are being written.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        LINE_BYTES - self.places.available_permits()
    }
}
