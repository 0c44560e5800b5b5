//! Why the system did not start.

use super::{InitializeError, MissingPort, ShutdownReport, StartError};
use crate::essence::Phase;
use octopussy_core::capability::CapabilityId;
use std::time::Duration;

/// A capability could not start, so the system did not. Everything that had started has been stopped and cleaned up again.
#[derive(Debug, thiserror::Error)]
#[error("capability '{capability}' failed in its phase '{phase}'")]
pub struct StartAllError {
    /// Which capability.
    pub capability: CapabilityId,
    /// In which phase.
    pub phase: Phase,
    /// Why.
    #[source]
    pub cause: Cause,
    /// What came of stopping those that had started, the last one first.
    pub unwound: ShutdownReport,
}

/// What lies behind a failed start.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// Its configuration does not fit together.
    #[error(transparent)]
    Initialize(#[from] InitializeError),
    /// A provider did not hand out what its contract says.
    #[error(transparent)]
    MissingPort(#[from] MissingPort),
    /// It said why.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It was not done in time; what it had begun was dropped.
    #[error("it was not done after {0:?}")]
    TimedOut(Duration),
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// The host gave the start up.
    #[error("the start was interrupted")]
    Interrupted,
}

impl StartAllError {
    /// The whole chain of causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and everything behind it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
