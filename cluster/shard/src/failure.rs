//! Why the node cannot write, if it cannot.

use octopussy_core::ports::ProposeError;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    State,
    Applier,
}

/// The present failures. Each part sets and clears its own.
#[derive(Default)]
pub(crate) struct Failures {
    any: AtomicBool,
    parts: Mutex<[Option<ProposeError>; 2]>,
}

impl Failures {
    pub(crate) fn set(&self, part: Part, error: ProposeError) {
        tracing::error!(?part, %error, "the store failed; nothing is accepted until it works again");
        let mut parts = self.parts.lock();
        if let Some(slot) = parts.get_mut(part as usize) {
            *slot = Some(error);
        }
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self, part: Part) {
        let mut parts = self.parts.lock();
        if let Some(slot) = parts.get_mut(part as usize)
            && slot.take().is_some()
        {
            tracing::info!(?part, "the store works again");
        }
        self.any.store(parts.iter().any(Option::is_some), Ordering::Release);
    }

    pub(crate) fn check(&self) -> Result<(), ProposeError> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        self.parts.lock().iter().flatten().next().cloned().map_or(Ok(()), Err)
    }
}
