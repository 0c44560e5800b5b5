//! The handle by which a run is ended from outside.

use octopussy_core::ids::TaskId;
use octopussy_core::task::Outcome;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

/// Why a run is to end before it is through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Somebody cancelled the task.
    Cancel,
    /// The agent is paused or the node stops: the task is handed back.
    HandBack,
    /// The agent was stopped.
    Stop,
    /// This node no longer leads the shard: nothing may be said any more.
    Fence,
}

impl Interrupt {
    /// What the ledger is told; `None`: nothing.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Cancel => Some(Outcome::Cancelled("cancelled by request".into())),
            Self::HandBack => Some(Outcome::HandedBack),
            Self::Stop => Some(Outcome::Cancelled("the agent was stopped".into())),
            Self::Fence => None,
        }
    }
}

/// One run under way.
#[derive(Debug)]
pub(crate) struct RunControl {
    /// Of which task.
    pub(crate) task: TaskId,
    token: CancellationToken,
    reason: Mutex<Option<Interrupt>>,
    sealed: AtomicBool,
}

impl RunControl {
    /// A run that nobody has interrupted.
    pub(crate) fn new(task: TaskId) -> Self {
        Self { task, token: CancellationToken::new(), reason: Mutex::new(None), sealed: AtomicBool::new(false) }
    }

    /// Ends the run. The first reason counts, except that a fence overrides every other.
    pub(crate) fn interrupt(&self, reason: Interrupt) {
        {
            let mut current = self.reason.lock();
            if current.is_none() || reason == Interrupt::Fence {
                *current = Some(reason);
            }
        }
        self.token.cancel();
    }

    /// Why it is to end, when it is.
    pub(crate) fn interrupted(&self) -> Option<Interrupt> {
        if self.token.is_cancelled() { *self.reason.lock() } else { None }
    }

    /// Waits until it is to end.
    pub(crate) async fn until_interrupted(&self) -> Interrupt {
        self.token.cancelled().await;
        self.reason.lock().unwrap_or(Interrupt::Fence)
    }

    /// The run has proposed its end: its place is free, and the next task may be begun behind it in the log, without waiting
    /// for the disk in between.
    pub(crate) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    /// The end of the run was not taken and has to be proposed again: until then it keeps its place.
    pub(crate) fn unseal(&self) {
        self.sealed.store(false, Ordering::Release);
    }

    /// Whether its end is in line.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }
}
