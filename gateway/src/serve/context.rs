//! What every handler works with.

use crate::config::Limits;
use octopussy_core::ports::{ObservabilityPort, OrchestratorPort, SecurityPort};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::time::Clock;
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
    /// Cancelled when the listeners close: streams end themselves on it.
    pub(crate) stopping: CancellationToken,
    /// The WebSocket connections, which outlive their HTTP request.
    pub(crate) sockets: TaskTracker,
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Context {
    pub(super) fn new(
        orchestrator: Arc<dyn OrchestratorPort>,
        security: Arc<dyn SecurityPort>,
        observability: Arc<dyn ObservabilityPort>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let bounded = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            requests: bounded(limits.requests),
            streams: bounded(limits.streams),
            orchestrator,
            security,
            observability,
            clock,
            limits,
            stopping: CancellationToken::new(),
            sockets: TaskTracker::new(),
        }
    }

    /// A place among the requests in progress.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        take(&self.requests, "as many requests in progress as it may")
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
