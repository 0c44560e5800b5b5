//! The child task around one run: waits for its turn, takes the task through the inbound chain, catches panics.

use super::execution::Execution;
use super::host::Host;
use super::run_control::RunControl;
use super::shared::{AgentShared, Material};
use crate::actor::essence::{Checks, Verdict, inbound};
use futures::FutureExt;
use octopussy_core::agent::{AgentContent, AgentRecord, AgentVersion};
use octopussy_core::ids::AgentId;
use octopussy_core::message::{MessageType, VerifyError};
use octopussy_core::ports::{BlobPort, BudgetVerdict, ScanVerdict};
use octopussy_core::task::{Command, Outcome, TaskContent, TaskRecord};
use octopussy_core::time::Timestamp;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument, Span, error, warn};

/// How long a task waits before the version that it was begun with is looked for again.
const VERSION_PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether the key of a held task has come.
const KEY_PAUSE: Duration = Duration::from_millis(500);

/// One task to be run.
pub(crate) struct RunTask {
    pub(crate) host: Arc<Host>,
    pub(crate) shared: Arc<AgentShared>,
    pub(crate) material: Arc<Material>,
    /// The agent in the version that the task is begun with.
    pub(crate) record: Arc<AgentRecord>,
    pub(crate) task: Arc<TaskRecord>,
    pub(crate) control: Arc<RunControl>,
}

/// Runs the task beside the actor and reports to it.
pub(crate) fn spawn(mut run: RunTask) {
    let span = run.span();
    let work = async move {
        let failed = if run.take_version().await { run.guarded().await } else { false };
        run.shared.run_is_over(run.task.id, failed);
        // Only a stopping node waits for the ends of runs. It has set the mark before it looks at the list.
        if run.host.is_draining() {
            run.host.quieter.notify_waiters();
        }
    };
    tokio::spawn(work.instrument(span));
}

/// What a version of an agent says; otherwise why it cannot be told.
async fn content(blobs: &dyn BlobPort, version: &AgentVersion) -> Result<AgentContent, String> {
    let bytes = blobs.get(version.content).await.map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| "it is at none of the nodes that answer".to_owned())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
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

    /// Sees to it that `record` is the agent in the version that the task is begun with. Says whether it is.
    async fn take_version(&mut self) -> bool {
        let number = self.task.version_to_run(&self.record);
        if number == self.record.version() {
            return true;
        }
        let Some(version) = self.record.version_at(number).cloned() else { return true };
        match content(&*self.host.ports.blobs, &version).await {
            Ok(content) => {
                let (spec, documents) = (Arc::new(content.spec), version.documents);
                self.record = Arc::new(AgentRecord { spec, documents, ..(*self.record).clone() });
                true
            }
            Err(why) => {
                warn!(task.id = %self.task.id, agent.id = %self.shared.id, version = number, why,
                    "the version that the task was begun with cannot be read; it waits");
                tokio::select! {
                    biased;
                    _ = self.control.until_interrupted() => {}
                    () = tokio::time::sleep(VERSION_PAUSE) => {}
                }
                false
            }
        }
    }

    /// Whether it failed; a panic is a failure.
    async fn guarded(&self) -> bool {
        match AssertUnwindSafe(Box::pin(self.drive())).catch_unwind().await {
            Ok(failed) => failed,
            Err(panic) => {
                let what = words(panic.as_ref());
                error!(task.id = %self.task.id, agent.id = %self.shared.id, panic = %what, "a run panicked");
                self.end(Outcome::Retry(format!("the run panicked: {what}").into())).await;
                true
            }
        }
    }

    /// Whether it failed.
    async fn drive(&self) -> bool {
        if !self.is_verifiable().await {
            return false;
        }
        let Some(permit) = self.permit().await else { return false };
        if self.host.is_yielding(self.shared.shard) {
            // Not begun yet: it stays in its mailbox, for whoever leads the shard next.
            return false;
        }
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

    /// Holds the task while the key that signed it has not reached this node: a rotation is on its way, or this node was away. It takes
    /// no place of another run meanwhile. Whether to go on: not when the run was interrupted.
    async fn is_verifiable(&self) -> bool {
        let mut held = false;
        loop {
            let unknown = match self.host.ports.security.verify(&self.task.message) {
                Err(VerifyError::UnknownKey(key)) if self.host.clock.now() <= self.task.expires_at => key,
                // Whatever else there is to say of it, the chain says.
                Ok(()) | Err(VerifyError::UnknownKey(_) | VerifyError::BadSignature) => return true,
            };
            if !held {
                warn!(task.id = %self.task.id, key = %unknown, "the key that signed a task is not here yet; the task is held");
                held = true;
            }
            tokio::select! {
                biased;
                _ = self.control.until_interrupted() => return false,
                () = tokio::time::sleep(KEY_PAUSE) => {}
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
        Command::Begin {
            task: self.task.id,
            epoch: self.shared.epoch,
            version: self.task.version_to_run(&self.record),
            now: self.host.clock.now(),
        }
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
        let task = &self.run.task;
        self.run.host.ports.security.verify(&task.message)?;
        // What is not signed must not say something else than what is: a message to one agent is no task of another.
        if AgentId::from(task.message.recipient_id()) == task.agent { Ok(()) } else { Err(VerifyError::BadSignature) }
    }

    fn is_expired(&mut self) -> bool {
        // By the shard's time: this node's clock alone must not end a task.
        let now = self.run.host.ports.led.now(self.run.shared.shard).unwrap_or(self.now);
        now > self.run.task.expires_at
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
