//! Answers what other nodes forward.

use super::wire::{self, Answer, ControlAnswer, ControlRejection, ControlRequest, Rejection, Request, StandingAnswer};
use super::{local, remote};
use crate::error::ControlError;
use crate::groups::Core;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use octopussy_control::AskedBy;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{LaneHandler, ProposeError};
use octopussy_core::task::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

type Response = BoxFuture<'static, Result<Bytes, Arc<str>>>;

/// How many forwarded requests are carried out at once: as many as the window of one lane, from all peers together.
const FORWARDED: usize = 2_048;

/// How many of them may be waiting for the end of a task.
const WAITING: usize = 1_024;

/// How many forwarded commands of the control group are carried out at once: people give them.
const CONTROL: usize = 64;

/// Of the time a caller waits, what is kept for the answer's way back.
const RESERVE: Duration = Duration::from_millis(20);

/// Commands and reads for the shards this node leads.
pub(crate) struct ForwardLane {
    core: Arc<Core>,
    requests: Arc<Semaphore>,
    waits: Arc<Semaphore>,
}

impl ForwardLane {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, requests: Arc::new(Semaphore::new(FORWARDED)), waits: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl LaneHandler for ForwardLane {
    fn handle(&self, from: NodeId, request: Bytes, within: Duration) -> Response {
        let request: Request = match wire::decode_request(&request) {
            Ok(request) => request,
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        let permits = if matches!(request, Request::AwaitEnd(..)) { &self.waits } else { &self.requests };
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
            return ready(wire::encode(&Answer::Err(Rejection::Failed(ProposeError::Busy)))).boxed();
        };
        let within = within.saturating_sub(RESERVE);
        // A command is put in line now, so that those of one peer keep their order.
        let answer = if let Request::Propose(shard, command) = request {
            if let Command::Accept { task, .. } = &command {
                let (task, trace) = (task.id, task.message.trace_id());
                tracing::debug!(%from, %shard, task.id = %task, trace.id = %trace, "a task that another node forwards");
            }
            local::propose_forwarded(&self.core, shard, command)
        } else {
            let core = Arc::clone(&self.core);
            async move { local::answer(&core, request).await }.boxed()
        };
        async move {
            let _permit = permit;
            match tokio::time::timeout(within, answer).await {
                Ok(answer) => wire::encode(&answer),
                // Nobody waits any longer; a command may still be carried out, so this must not look like a refusal.
                Err(_) => wire::encode(&Answer::Err(Rejection::Failed(ProposeError::Uncertain(ShardId(0))))),
            }
        }
        .boxed()
    }
}

/// Commands for the control group.
pub(crate) struct ControlLane {
    core: Arc<Core>,
    requests: Arc<Semaphore>,
}

impl ControlLane {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, requests: Arc::new(Semaphore::new(CONTROL)) }
    }
}

impl LaneHandler for ControlLane {
    fn handle(&self, from: NodeId, request: Bytes, within: Duration) -> Response {
        let (asker, command) = match wire::decode_request(&request) {
            Ok(ControlRequest::Propose(asker, command)) => (asker, command),
            Ok(ControlRequest::Standing(node)) => {
                let standing: StandingAnswer = self.core.control.borrow().who(node);
                return ready(wire::encode(&standing)).boxed();
            }
            Err(reason) => return ready(Err(reason)).boxed(),
        };
        if !self.core.control.borrow().may_propose(from, &command) {
            tracing::warn!(%from, kind = command.request_kind().name(), "refused a command about somebody else");
            return ready(Err(Arc::from("a node may not ask that about another"))).boxed();
        }
        // The leader looks again; here nothing is put in line for whoever may not.
        if !command.may_be_asked_by(&asker) {
            tracing::warn!(%from, ?asker, kind = command.request_kind().name(), "refused a command to whoever asks for it");
            return ready(wire::encode(&remote::not_allowed(&asker))).boxed();
        }
        let Ok(permit) = Arc::clone(&self.requests).try_acquire_owned() else {
            let busy = ControlAnswer::Err(ControlRejection::Failed(ControlError::Busy));
            return ready(wire::encode(&busy)).boxed();
        };
        let core = Arc::clone(&self.core);
        let within = within.saturating_sub(RESERVE);
        async move {
            let _permit = permit;
            match tokio::time::timeout(within, remote::control_here(&core, AskedBy { node: from, asker }, command))
                .await
            {
                Ok(answer) => wire::encode(&answer),
                Err(_) => wire::encode(&ControlAnswer::Err(ControlRejection::Failed(ControlError::Uncertain))),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
#[path = "judged_tests.rs"]
mod tests;
