//! What every handler works with.

use crate::config::Limits;
use octopussy_core::ports::{ObservabilityPort, OrchestratorPort, SecurityPort};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::Clock;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every handler works with.
pub(crate) struct Context {
    pub(crate) orchestrator: Arc<dyn OrchestratorPort>,
    pub(crate) security: Arc<dyn SecurityPort>,
    pub(crate) observability: Arc<dyn ObservabilityPort>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    /// Whether this node is a guest, which serves nothing but its status.
    pub(crate) guest: bool,
    /// Cancelled when the listeners close: streams end themselves on it.
    pub(crate) stopping: CancellationToken,
    /// The WebSocket connections, which outlive their HTTP request.
    pub(crate) sockets: TaskTracker,
    requests: Arc<Semaphore>,
    probes: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// The bytes that bodies in progress may have together, in units of [`BODY_UNIT`].
    bodies: Arc<Semaphore>,
    parsing: Arc<Semaphore>,
}

/// Probes in progress: scrapers and watchdogs are few, and what they ask for is answered at once.
const PROBES: usize = 32;
/// What bodies are counted in, in bytes.
const BODY_UNIT: usize = 1024;
/// Large bodies that are parsed at once.
const PARSED_AT_ONCE: usize = 2;

/// What one request has of the bytes that all bodies may have together; given back when the request is answered.
#[derive(Clone, Default)]
pub(crate) struct Reservation(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Context {
    pub(super) fn new(
        orchestrator: Arc<dyn OrchestratorPort>,
        security: Arc<dyn SecurityPort>,
        observability: Arc<dyn ObservabilityPort>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        guest: bool,
    ) -> Self {
        let bounded = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            requests: bounded(limits.requests),
            probes: bounded(PROBES),
            streams: bounded(limits.streams),
            bodies: bounded(limits.body_mebibytes.saturating_mul(1024 * 1024 / BODY_UNIT)),
            parsing: bounded(PARSED_AT_ONCE),
            orchestrator,
            security,
            observability,
            clock,
            limits,
            guest,
            stopping: CancellationToken::new(),
            sockets: TaskTracker::new(),
        }
    }

    /// A place among the requests in progress.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        take(&self.requests, "as many requests in progress as it may")
    }

    /// A place among the probes in progress.
    pub(crate) fn admit_probe(&self) -> Result<OwnedSemaphorePermit, Problem> {
        take(&self.probes, "as many probes in progress as it may")
    }

    /// Lets `reservation` hold `bytes` in all.
    pub(crate) fn reserve(&self, reservation: &Reservation, bytes: usize) -> Result<(), Problem> {
        let mut held = reservation.0.lock();
        let more = bytes.div_ceil(BODY_UNIT).saturating_sub(held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if more == 0 {
            return Ok(());
        }
        let units = u32::try_from(more).unwrap_or(u32::MAX);
        let taken = self.bodies.clone().try_acquire_many_owned(units).map_err(|_| {
            Problem::new(Code::Overloaded, "the bodies of the requests in progress have as many bytes as they may")
                .retry_after(Duration::from_secs(1))
        })?;
        match held.as_mut() {
            Some(held) => held.merge(taken),
            None => *held = Some(taken),
        }
        Ok(())
    }

    /// A place among the large bodies that are parsed. `None`: the node is ending.
    pub(crate) async fn parse_place(&self) -> Option<OwnedSemaphorePermit> {
        self.parsing.clone().acquire_owned().await.ok()
    }

    /// A place among the open streams.
    pub(crate) fn admit_stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        take(&self.streams, "as many open streams as it may")
    }
}

fn take(permits: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Problem> {
    permits.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Code::Overloaded, format!("this node has {what}")).retry_after(Duration::from_secs(1))
    })
}
