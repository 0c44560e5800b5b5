//! The applier: applies what is durable, in order, and answers.

use crate::dirty::Dirty;
use crate::failure::Part;
use crate::inner::Inner;
use crate::proposal::{Answer, Committed, Proposal, Reply};
use crate::writer::RETRY_AFTER;
use octopussy_core::codec;
use octopussy_core::ids::ShardId;
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Applied, LedgerEvent};
use octopussy_ledger::{ColdError, Effects};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// How many commands are applied before readers get their turn and callers their answers.
const CHUNK: usize = 64;

/// How much may be applied and not stored before it is stored ahead of its time: bounds memory and the replay at a start.
pub(crate) const FLUSH_BYTES: usize = 8 * 1024 * 1024;

/// How much more may gather while the flusher is busy before the applier waits for it.
const FLUSH_BACKLOG_BYTES: usize = 4 * FLUSH_BYTES;

/// The shortest wait for more.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// Applies what is durable, in order, and answers.
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
                    if !self.apply(committed) {
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

    fn apply(&self, committed: Committed) -> bool {
        let mut index = committed.first;
        let mut proposals = committed.proposals.into_iter();
        let mut answers: Vec<(Reply, Answer)> = Vec::with_capacity(CHUNK);
        let mut events = Vec::new();
        loop {
            let mut state = self.inner.state.write();
            for Proposal { shard, command, encoded, reply } in proposals.by_ref().take(CHUNK) {
                let applied = state.apply(index, shard, command, &self.inner.store, &self.inner.agents);
                let effects = match applied {
                    Ok(effects) => effects,
                    Err(error) => {
                        drop(state);
                        let Some(effects) = self.insist(index, shard, &encoded, &error) else { return false };
                        state = self.inner.state.write();
                        effects
                    }
                };
                self.note_epoch(shard, &effects);
                answers.push((reply, effects.result.map_err(ProposeError::Refused)));
                events.extend(effects.events);
                index += 1;
            }
            drop(state);
            if answers.is_empty() {
                return true;
            }
            self.deliver(&mut answers, &mut events);
        }
    }

    fn note_epoch(&self, shard: ShardId, effects: &Effects) {
        if let Ok(Applied::Activated(epoch)) = &effects.result
            && let Some(slot) = self.inner.epochs.get(usize::from(shard.0))
        {
            slot.store(epoch.0, Ordering::Release);
        }
    }

    fn deliver(&self, answers: &mut Vec<(Reply, Answer)>, events: &mut Vec<LedgerEvent>) {
        for (reply, answer) in answers.drain(..) {
            reply.send(answer);
        }
        self.inner.tell(events);
        events.clear();
    }

    /// Applies a command whose reading of the state failed, again and again: it is durable, so it cannot be given up on.
    fn insist(&self, index: u64, shard: ShardId, encoded: &[u8], error: &ColdError) -> Option<Effects> {
        self.inner.failures.set(Part::Applier, ProposeError::Store(Arc::clone(&error.0)));
        loop {
            if self.inner.queue.wait_closed(RETRY_AFTER) {
                return None;
            }
            if let Err(error) = self.inner.store.reopen() {
                tracing::debug!(%error, "the state store still cannot be opened");
                continue;
            }
            let Ok(command) = codec::decode(encoded) else { return None };
            let applied = self.inner.state.write().apply(index, shard, command, &self.inner.store, &self.inner.agents);
            match applied {
                Ok(effects) => {
                    self.inner.failures.clear(Part::Applier);
                    return Some(effects);
                }
                Err(error) => tracing::debug!(%error, "the state still cannot be read"),
            }
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
