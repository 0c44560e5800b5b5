//! One running capability under supervision, in a task of its own.

use super::erased::Supervised;
use super::guard::{guard, panic_message};
use super::shutdown::Ending;
use super::{Deadline, StatusBoard, Stopped};
use crate::essence::Phase;
use futures::FutureExt as _;
use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::Criticality;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a clean-up may take: it releases what is held and waits for nobody.
const CLEANUP_LIMIT: Duration = Duration::from_secs(2);
/// How long after its limits a unit is waited for: one that does not answer then blocks its thread.
const GRACE: Duration = Duration::from_millis(250);
/// How long a unit has when the system is dropped without being stopped.
const DROPPED_LIMIT: Duration = Duration::from_secs(5);

/// A capability died while it served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub capability: CapabilityId,
    /// Why.
    pub reason: String,
}

impl Failure {
    /// Whether others depend on it, so that the process has to end. A sidecar is only missed.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.capability.entry().criticality == Criticality::Required
    }
}

/// One running capability.
pub(super) struct Unit {
    pub(super) id: CapabilityId,
    stop: oneshot::Sender<Deadline>,
    task: JoinHandle<Stopped>,
}

impl Unit {
    /// Takes `running` into supervision. It is stopped and cleaned up in the end, whatever happens in between.
    pub(super) fn supervise(
        id: CapabilityId,
        running: Box<dyn Supervised>,
        stopping: CancellationToken,
        board: Arc<StatusBoard>,
        failures: mpsc::Sender<Failure>,
    ) -> Self {
        let (stop, stops) = oneshot::channel();
        let task = tokio::spawn(serve(id, running, stops, stopping, board, failures));
        Self { id, stop, task }
    }

    /// Stops it until `by` and cleans it up.
    pub(super) async fn stop(self, by: Deadline) -> Stopped {
        let Self { id: capability, stop, mut task } = self;
        // When the task is gone, its own answer says why.
        let _ = stop.send(by);
        match tokio::time::timeout(by.remaining() + CLEANUP_LIMIT + GRACE, &mut task).await {
            Ok(Ok(stopped)) => stopped,
            Ok(Err(error)) => {
                let ending = Ending::Panicked(error.to_string());
                Stopped { capability, stop: ending.clone(), cleanup: ending }
            }
            Err(_) => {
                task.abort();
                Stopped { capability, stop: Ending::Abandoned, cleanup: Ending::Abandoned }
            }
        }
    }
}

async fn serve(
    id: CapabilityId,
    mut running: Box<dyn Supervised>,
    mut stops: oneshot::Receiver<Deadline>,
    stopping: CancellationToken,
    board: Arc<StatusBoard>,
    failures: mpsc::Sender<Failure>,
) -> Stopped {
    let died = {
        let failed = AssertUnwindSafe(running.failed()).catch_unwind();
        tokio::select! {
            biased;
            by = &mut stops => Err(by),
            died = failed => Ok(died.unwrap_or_else(|panic| format!("its supervision panicked: {}", panic_message(&*panic)))),
        }
    };
    let by = match died {
        Err(by) => by,
        Ok(reason) => {
            tracing::error!(capability = %id, %reason, "a capability died");
            board.fail(id, reason.clone());
            // There is room for one failure of every unit; the receiver is gone only when the system is stopping.
            let _ = failures.try_send(Failure { capability: id, reason });
            stops.await
        }
    };
    let by = by.unwrap_or_else(|_| Deadline::after(DROPPED_LIMIT));

    board.advance(id, Phase::Stop);
    stopping.cancel();
    let stop = match guard(by.remaining(), running.stop(by)).await {
        Ok(Ok(())) => Ending::Clean,
        Ok(Err(error)) => Ending::Failed(error.0),
        Err(broken) => broken.into(),
    };
    board.advance(id, Phase::Cleanup);
    let cleanup = guard(CLEANUP_LIMIT, running.cleanup()).await.map_or_else(Ending::from, |()| Ending::Clean);
    board.advance(id, Phase::Ended);
    Stopped { capability: id, stop, cleanup }
}
