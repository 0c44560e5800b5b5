//! The running system.

use super::shutdown::Ending;
use super::unit::Unit;
use super::{Deadline, Failure, ShutdownReport, StatusBoard};
use crate::essence::{Phase, share};
use octopussy_core::capability::CapabilityId;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The running system: every capability serves. Stop it with [`System::stop_all`]; when it is only dropped, its
/// capabilities still stop and clean up, but in no particular order and with nobody to hear how it went.
#[must_use = "a system that is dropped stops"]
pub struct System {
    units: Vec<Unit>,
    failures: mpsc::Receiver<Failure>,
    board: Arc<StatusBoard>,
}

impl System {
    pub(super) const fn new(units: Vec<Unit>, failures: mpsc::Receiver<Failure>, board: Arc<StatusBoard>) -> Self {
        Self { units, failures, board }
    }

    /// Every capability with its phase and what is wrong, when something is.
    #[must_use]
    pub fn phases(&self) -> Vec<(CapabilityId, Phase, Option<String>)> {
        self.board.phases()
    }

    /// The board the phases stand on.
    #[must_use]
    pub const fn board(&self) -> &Arc<StatusBoard> {
        &self.board
    }

    /// Waits for the next capability that dies; forever when none does. The host stops the system when
    /// [`Failure::is_fatal`]; starting it again, with backoff, is the business of whoever supervises the process.
    ///
    /// Cancel safe: a failure that was not awaited is told by the next call.
    pub async fn next_failure(&mut self) -> Failure {
        match self.failures.recv().await {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Stops and cleans up every capability, the last started first, until `by`. One that hangs is left and reported, and the next
    /// is stopped all the same.
    pub async fn stop_all(self, by: Deadline) -> ShutdownReport {
        stop_in_reverse(self.units, by, &self.board).await
    }
}

/// Stops `units`, the last one first, each with its share of what is left until `by`.
pub(super) async fn stop_in_reverse(units: Vec<Unit>, by: Deadline, board: &StatusBoard) -> ShutdownReport {
    let mut report = ShutdownReport::default();
    let mut left = units.len();
    for unit in units.into_iter().rev() {
        let id = unit.id;
        let stopped = unit.stop(Deadline::after(share(by.remaining(), left))).await;
        left -= 1;
        if stopped.is_clean() {
            tracing::info!(capability = %id, "stopped");
        } else {
            tracing::error!(capability = %id, stop = %stopped.stop, cleanup = %stopped.cleanup, "did not stop cleanly");
            if stopped.stop != Ending::Clean {
                board.note(id, format!("stop {}", stopped.stop));
            }
        }
        report.stopped.push(stopped);
    }
    report
}
