//! The applier: applies what is durable while the writer writes on, and decides when changes are flushed.

use crate::applying::Outcome;
use crate::dirty::Dirty;
use crate::inner::Inner;
use crate::proposal::Committed;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// How much may be applied and not stored before it is stored ahead of its time: bounds memory and the replay at a start.
pub(crate) const FLUSH_BYTES: usize = 8 * 1024 * 1024;

/// How much more may gather while the flusher is busy before the applier waits for it.
const FLUSH_BACKLOG_BYTES: usize = 4 * FLUSH_BYTES;

/// The shortest wait for more.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// Applies what is durable while the writer writes on. It also looks after the flusher; a batch without commands only tells
/// it that there are changes now.
pub(crate) struct Applier {
    pub(crate) inner: Arc<Inner>,
    pub(crate) committed: Receiver<Committed>,
    pub(crate) flusher: SyncSender<Arc<Dirty>>,
    pub(crate) flushed: Receiver<()>,
    pub(crate) last_flush: Instant,
}

impl Applier {
    /// Runs until the writer is gone, then hands over what is not stored yet.
    pub(crate) fn run(mut self) {
        loop {
            // Never zero: while the flusher is busy there is nothing to do but wait.
            let due = self.inner.config.flush_interval.saturating_sub(self.last_flush.elapsed()).max(MIN_WAIT);
            let dirty = !self.inner.state.read().active.is_empty();
            let next = if dirty {
                self.committed.recv_timeout(due)
            } else {
                self.committed.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(committed) => {
                    if !committed.proposals.is_empty() && self.inner.apply(committed) == Outcome::Stopped {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.finish();
                    return;
                }
            }
            self.flush_when_due();
        }
    }

    /// Hands the changes to the flusher when it is time and it is free.
    fn flush_when_due(&mut self) {
        let (bytes, empty, busy) = {
            let state = self.inner.state.read();
            (state.active.bytes, state.active.is_empty(), state.flushing.is_some())
        };
        let due = bytes >= FLUSH_BYTES || self.last_flush.elapsed() >= self.inner.config.flush_interval;
        if empty || !due {
            return;
        }
        if busy {
            if bytes < FLUSH_BACKLOG_BYTES {
                return;
            }
            self.wait_for_flusher();
        }
        self.hand_over();
    }

    /// Waits until the flusher is free, or gone.
    fn wait_for_flusher(&self) {
        while self.inner.state.read().flushing.is_some() {
            if self.flushed.recv().is_err() {
                return;
            }
        }
    }

    fn hand_over(&mut self) {
        while self.flushed.try_recv().is_ok() {}
        let dirty = {
            let mut state = self.inner.state.write();
            if state.flushing.is_some() {
                return;
            }
            let dirty = Arc::new(std::mem::take(&mut state.active));
            state.flushing = Some(Arc::clone(&dirty));
            dirty
        };
        self.last_flush = Instant::now();
        // Without a flusher the node is coming down, and the log still has it all.
        let _ = self.flusher.send(dirty);
    }

    /// Stores the rest before the end.
    fn finish(&mut self) {
        self.wait_for_flusher();
        let empty = self.inner.state.read().active.is_empty();
        if !empty && !self.inner.abandoned.load(Ordering::Acquire) {
            self.hand_over();
        }
    }
}
