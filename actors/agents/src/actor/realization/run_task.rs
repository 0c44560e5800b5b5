//! The child task around one run: waits for its turn, takes the task through the inbound chain, catches panics.

use super::execution::Execution;
use super::host::Host;
use super::run_control::RunControl;
use super::shared::AgentShared;
use crate::actor::essence::{Checks, Verdict, inbound};
use futures::FutureExt;
use octopussy_core::agent::AgentRecord;
use octopussy_core::message::{MessageType, VerifyError};
use octopussy_core::ports::{BudgetVerdict, ScanVerdict};
use octopussy_core::task::{Command, Outcome, TaskContent, TaskRecord};
use octopussy_core::time::Timestamp;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, Span, error, warn};

/// One task to be run.
pub(crate) struct RunTask {
    pub(crate) host: Arc<Host>,
    pub(crate) shared: Arc<AgentShared>,
    pub(crate) record: Arc<AgentRecord>,
    pub(crate) task: Arc<TaskRecord>,
    pub(crate) control: Arc<RunControl>,
}

/// Runs the task beside the actor and reports to it.
pub(crate) fn spawn(run: RunTask) {
    let span = run.span();
    let work = async move {
        let failed = match AssertUnwindSafe(Box::pin(run.drive())).catch_unwind().await {
            Ok(failed) => failed,
            Err(panic) => {
                let what = words(panic.as_ref());
                error!(task.id = %run.task.id, agent.id = %run.shared.id, panic = %what, "a run panicked");
                run.end(Outcome::Retry(format!("the run panicked: {what}").into())).await;
                true
            }
        };
        run.shared.run_is_over(run.task.id, failed);
        // Only a stopping node waits for the ends of runs. It has set the mark before it looks at the list.
        if run.host.is_draining() {
            run.host.quieter.notify_waiters();
        }
    };
    tokio::spawn(work.instrument(span));
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

impl RunTask {
    /// What everything that the run does is told under, here and in the trace of the request that the task came with.
    fn span(&self) -> Span {
        tracing::info_span!(
            "invoke_agent",
            gen_ai.operation.name = "invoke_agent",
            gen_ai.agent.id = %self.shared.id,
            gen_ai.agent.name = %self.record.spec.name,
            task.id = %self.task.id,
            trace.id = %self.task.message.trace_id(),
        )
    }

    /// Whether it failed.
    async fn drive(&self) -> bool {
        let Some(permit) = self.permit().await else { return false };
        let mut checks = TaskChecks { run: self, now: self.host.clock.now(), content: None };
        let verdict = inbound(&mut checks);
        match (verdict, checks.content) {
            (Verdict::Process, Some(content)) => Execution::new(self, content, permit).drive().await,
            (rejected, _) => {
                self.reject(rejected).await;
                false
            }
        }
    }

    /// Its turn; `None` when it was interrupted while it waited.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if self.control.interrupted().is_some() {
            return None;
        }
        if let Ok(permit) = Arc::clone(&self.host.permits).try_acquire_owned() {
            return Some(permit);
        }
        tokio::select! {
            biased;
            _ = self.control.until_interrupted() => None,
            // The semaphore is never closed; a closed one would mean that the host is gone.
            permit = Arc::clone(&self.host.permits).acquire_owned() => permit.ok(),
        }
    }

    /// Commits the end of a run that yields no memory.
    pub(crate) async fn end(&self, outcome: Outcome) {
        if let Err(error) = self.host.commit(&self.shared, self.end_command(outcome, None)).await {
            warn!(task.id = %self.task.id, %error, "the end of a run was not taken");
        }
    }

    pub(crate) fn end_command(&self, outcome: Outcome, memory: Option<Arc<str>>) -> Command {
        Command::End { task: self.task.id, epoch: self.shared.epoch, outcome, memory, now: self.host.clock.now() }
    }

    pub(crate) fn begin_command(&self) -> Command {
        Command::Begin { task: self.task.id, epoch: self.shared.epoch, now: self.host.clock.now() }
    }
}

/// The inbound chain's checks for a task of the ledger. Its message is replayed from the log on purpose, so there is no
/// replay window here.
struct TaskChecks<'a> {
    run: &'a RunTask,
    now: Timestamp,
    content: Option<TaskContent>,
}

impl Checks for TaskChecks<'_> {
    fn signature(&mut self) -> Result<(), VerifyError> {
        self.run.host.ports.security.verify(&self.run.task.message)
    }

    fn is_expired(&mut self) -> bool {
        self.now > self.run.task.expires_at
    }

    fn is_control(&mut self) -> bool {
        // The ledger holds tasks only; anything else is refused as unreadable.
        false
    }

    fn read(&mut self) -> Result<(), String> {
        let message = &self.run.task.message;
        if message.message_type() != MessageType::Task {
            return Err(format!("a message of type {:?} is not a task", message.message_type()));
        }
        let content =
            message.payload().parse().map_err(|error| format!("the task's payload does not read: {error}"))?;
        self.content = Some(content);
        Ok(())
    }

    fn scan(&mut self) -> ScanVerdict {
        self.content.as_ref().map_or(ScanVerdict::Clean, |content| self.run.host.scan(content))
    }

    fn budget(&mut self) -> BudgetVerdict {
        self.run.host.ports.token_budget.check(self.run.shared.id, &self.run.record.spec.budget)
    }
}

impl Host {
    /// Scans everything in a task that people wrote: its input, the conversation before it, its constraints.
    pub(crate) fn scan(&self, content: &TaskContent) -> ScanVerdict {
        let history = content.history.iter().map(|(_, text)| text);
        for text in std::iter::once(&content.input).chain(history).chain(&content.constraints) {
            match self.ports.security.scan_prompt(text) {
                ScanVerdict::Clean => {}
                found @ ScanVerdict::Injection { .. } => return found,
            }
        }
        ScanVerdict::Clean
    }
}
