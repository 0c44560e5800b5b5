//! The flusher: brings what has been applied into the state store, beside everybody's way.

use crate::dirty::Dirty;
use crate::error::{cold_error, propose_error};
use crate::failure::Part;
use crate::inner::Inner;
use crate::writer::RETRY_AFTER;
use octopussy_core::ports::ProposeError;
use octopussy_ledger::ColdError;
use octopussy_store::Durability;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};

/// Stores changes durably, after which the log need not hold them.
pub(crate) struct Flusher {
    pub(crate) inner: Arc<Inner>,
    pub(crate) changes: Receiver<Arc<Dirty>>,
    pub(crate) flushed: SyncSender<()>,
}

impl Flusher {
    /// Runs until the applier is gone.
    pub(crate) fn run(self) {
        while let Ok(dirty) = self.changes.recv() {
            if !self.store(&dirty) {
                return;
            }
            self.inner.state.write().flushing = None;
            // The applier only looks when it waits; one note is enough.
            let _ = self.flushed.try_send(());
        }
    }

    /// Stores `dirty`, trying again until it works or the node stops.
    fn store(&self, dirty: &Dirty) -> bool {
        let mut failed = false;
        loop {
            match self.attempt(dirty, failed) {
                Ok(()) => {
                    self.inner.durable.store(dirty.applied, Ordering::Release);
                    if failed {
                        self.inner.failures.clear(Part::State);
                    }
                    return true;
                }
                Err(error) if failed => tracing::debug!(%error, "the state store still cannot be written"),
                Err(_) => failed = true,
            }
            if self.inner.queue.wait_closed(RETRY_AFTER) {
                // What is not stored is in the log.
                return false;
            }
        }
    }

    fn attempt(&self, dirty: &Dirty, again: bool) -> Result<(), ColdError> {
        let report = |error: &octopussy_store::StoreError| {
            if !again {
                self.inner.failures.set(Part::State, propose_error(error));
            }
            cold_error(error)
        };
        if again {
            self.inner.store.reopen().map_err(|error| report(&error))?;
        }
        let batch = dirty.to_batch().inspect_err(|error| {
            self.inner.failures.set(Part::State, ProposeError::Store(Arc::clone(&error.0)));
        })?;
        self.inner.store.commit(batch, Durability::Fsync).map_err(|error| report(&error))
    }
}
