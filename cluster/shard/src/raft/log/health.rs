//! Why the logs cannot be written or read at present, if they cannot.

use octopussy_core::ports::ProposeError;
use octopussy_store::StoreError;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Writing,
    Reading,
}

/// The present failures; each side sets and clears its own.
#[derive(Default)]
pub(super) struct Health {
    failing: AtomicBool,
    sides: Mutex<[Option<ProposeError>; 2]>,
}

impl Health {
    pub(super) fn set(&self, side: Side, error: &StoreError) {
        let mut sides = self.sides.lock();
        let Some(slot) = sides.get_mut(side as usize) else { return };
        if slot.is_none() {
            tracing::error!(?side, %error, "the store of the log failed; it is tried again until it works");
        }
        *slot = Some(propose_error(error));
        self.failing.store(true, Ordering::Release);
    }

    pub(super) fn clear(&self, side: Side) {
        if !self.failing.load(Ordering::Acquire) {
            return;
        }
        let mut sides = self.sides.lock();
        if let Some(slot) = sides.get_mut(side as usize)
            && slot.take().is_some()
        {
            tracing::info!(?side, "the store of the log works again");
        }
        self.failing.store(sides.iter().any(Option::is_some), Ordering::Release);
    }

    pub(super) fn check(&self) -> Result<(), ProposeError> {
        if !self.failing.load(Ordering::Acquire) {
            return Ok(());
        }
        self.sides.lock().iter().flatten().next().cloned().map_or(Ok(()), Err)
    }
}

fn propose_error(error: &StoreError) -> ProposeError {
    if error.is_disk_full() { ProposeError::DiskFull } else { ProposeError::Store(error.to_string().into()) }
}
