//! Works through one run: begins the task, does what the run asks for, journals each step, ends the task.

mod journal;
mod model;
mod retrieval;

use super::rejection::REFUSED_PAUSE;
use super::run_control::Interrupt;
use super::run_task::RunTask;
use crate::actor::essence::{Memory, Next, Run};
use journal::complete;
use octopussy_core::agent::AgentType;
use octopussy_core::ids::TaskId;
use octopussy_core::ports::{BudgetVerdict, Passage, ProposeError};
use octopussy_core::task::{
    Applied, DeadLetterReason, Outcome, StepOutcome, StepRecord, TaskContent, TaskRecord, TaskState,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{debug, warn};

/// The wait between two looks whether an end that failed is in the log by now.
const LATE_END: Duration = Duration::from_millis(20);

/// Why a run stops before its answer.
pub(super) enum Halt {
    /// It was interrupted.
    Interrupted(Interrupt),
    /// With this outcome.
    Outcome(Outcome),
    /// It may work another time.
    Transient(String),
    /// Nothing is wrong with it; the model asks to come back after so long.
    Postponed(String, Duration),
    /// The budget is spent.
    Budget(String),
    /// The ledger does not take the run's commands: another leadership owns the task, or the store failed.
    Silent,
}

/// One run under way.
pub(super) struct Execution<'a> {
    run_task: &'a RunTask,
    content: TaskContent,
    permit: Option<OwnedSemaphorePermit>,
    attempt: u32,
    /// How long the task was to live when it was begun, and since when.
    lives: (Duration, Instant),
    passages: Vec<Passage>,
    memory: Memory,
    redacted: Vec<&'static str>,
    first_call: bool,
}

impl<'a> Execution<'a> {
    pub(super) fn new(run_task: &'a RunTask, content: TaskContent, permit: OwnedSemaphorePermit) -> Self {
        let attempt = run_task.task.attempts + 1;
        Self {
            run_task,
            content,
            permit: Some(permit),
            attempt,
            lives: (Duration::ZERO, Instant::now()),
            passages: Vec::new(),
            memory: Memory::default(),
            redacted: Vec::new(),
            first_call: true,
        }
    }

    /// Whether it failed.
    pub(super) async fn drive(mut self) -> bool {
        match self.work().await {
            Ok(()) => false,
            Err(halt) => self.halt(halt).await,
        }
    }

    async fn work(&mut self) -> Result<(), Halt> {
        let mut run = self.begin().await?;
        loop {
            match run.next() {
                // Already in the journal in full: only its end was lost.
                Next::Finish(text) => return self.finish(&text, None).await,
                Next::Fail(why) => return Err(Halt::Outcome(Outcome::Failed(why.into()))),
                Next::Retrieve => {
                    let documents = self.documents().await?;
                    let step = self.retrieve(&documents, run.position()).await?;
                    self.commit_step(&step).await?;
                    complete(&mut run, &step);
                }
                Next::Call(call) => {
                    self.at_boundary()?;
                    let step = self.ask(&run, &call).await?;
                    if call.last {
                        let text = done_text(&step);
                        return self.finish(&text, Some(step)).await;
                    }
                    self.commit_step(&step).await?;
                    complete(&mut run, &step);
                }
            }
        }
    }

    /// Begins the task and takes over what earlier attempts journaled. The first retrieval overlaps with the commit: it
    /// touches nothing outside, and its entry follows the beginning in the log.
    async fn begin(&mut self) -> Result<Run, Halt> {
        let cx = self.run_task;
        let retrieves = !cx.record.documents.is_empty() || !self.content.documents.is_empty();
        let begin = cx.host.ports.ledger.propose(cx.shared.shard, cx.begin_command());
        let mut run = Run::new(&cx.record.spec.reasoning, retrieves);
        let first = if retrieves && cx.task.steps.is_empty() {
            match self.documents().await {
                Ok(documents) => Some(self.retrieve(&documents, 0).await),
                Err(halt) => Some(Err(halt)),
            }
        } else {
            None
        };
        let first_step = match &first {
            Some(Ok(step)) => Some(cx.host.ports.ledger.propose(cx.shared.shard, self.step_command(step))),
            Some(Err(_)) | None => None,
        };
        let (begun, again) = match begin.await {
            Err(error) => (cx.host.commit_again(&cx.shared, cx.begin_command(), error).await, true),
            begun @ Ok(_) => (begun, false),
        };
        let begun = match begun {
            Ok(Applied::Task(record)) => record,
            Ok(_) => self.reread().await?,
            Err(error) => return Err(not_begun(cx, &error).await),
        };
        if begun.state != TaskState::Running {
            // The ledger found it expired or out of attempts when it came to begin it, and ended it itself.
            return Err(Halt::Silent);
        }
        self.attempt = begun.attempts;
        // By the shard's time; this node's clock may show another.
        self.lives = (begun.expires_at.since(begun.updated_at), Instant::now());
        run.resume(&cx.task.steps).map_err(|error| Halt::Outcome(Outcome::Failed(error.to_string().into())))?;
        if let Some(retrieved) = first {
            let step = retrieved?;
            match first_step {
                Some(committed) => match committed.await {
                    Ok(_) => {}
                    // It came in front of the beginning, which had to be proposed again.
                    Err(ProposeError::Refused(_)) if again => self.commit_step(&step).await?,
                    Err(error) => self.commit_step_again(&step, error).await?,
                },
                None => self.commit_step(&step).await?,
            }
            complete(&mut run, &step);
        } else if let Some(text) = run.passages() {
            self.passages = serde_json::from_str(text).map_err(|error| {
                Halt::Outcome(Outcome::Failed(format!("the journaled passages do not read: {error}").into()))
            })?;
        }
        self.remember().await?;
        Ok(run)
    }

    /// Reads the conversation so far. Only after the beginning is committed, because the end of the task before it, which
    /// writes it, may have been in line right in front.
    async fn remember(&mut self) -> Result<(), Halt> {
        let cx = self.run_task;
        if cx.record.spec.agent_type != AgentType::StatefulLoop {
            return Ok(());
        }
        self.wait_for_ends_before().await?;
        let stored = match cx.host.read_led(&cx.shared, |led| led.agent(cx.shared.id)).await {
            Ok(Some(record)) => record.memory.clone(),
            Ok(None) => cx.record.memory.clone(),
            Err(error) => return Err(self.refused(&error)),
        };
        if let Some((written, memory)) = cx.shared.memory.lock().take()
            && stored.as_ref() == Some(&written)
        {
            self.memory = memory;
            return Ok(());
        }
        self.memory = Memory::read(stored.as_deref()).unwrap_or_else(|error| {
            warn!(agent.id = %cx.shared.id, %error, "the agent starts a new conversation");
            Memory::default()
        });
        Ok(())
    }

    /// Waits while an end that was in line in front of this task's beginning has failed and is proposed again. As a rule it
    /// is applied by now, and this costs a look.
    async fn wait_for_ends_before(&self) -> Result<(), Halt> {
        let cx = self.run_task;
        let is_running = |task: &TaskId| match cx.host.ports.led.task(*task) {
            Ok(Some(record)) => record.state == TaskState::Running && record.epoch == cx.shared.epoch,
            // Not certain for a moment; whoever is fenced is interrupted.
            Err(ProposeError::NotLeader(_)) => true,
            Ok(None) | Err(_) => false,
        };
        while cx.shared.other_runs(cx.task.id).iter().any(is_running) {
            tokio::select! {
                biased;
                reason = cx.control.until_interrupted() => return Err(Halt::Interrupted(reason)),
                () = tokio::time::sleep(LATE_END) => {}
            }
        }
        Ok(())
    }

    async fn reread(&self) -> Result<Arc<TaskRecord>, Halt> {
        let cx = self.run_task;
        match cx.host.read_led(&cx.shared, |led| led.task(cx.task.id)).await {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Err(Halt::Silent),
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Between two steps: here a run stops for a stopping node or a shard that moves, and for a budget that its own steps have spent.
    fn at_boundary(&mut self) -> Result<(), Halt> {
        let cx = self.run_task;
        if let Some(reason) = cx.control.interrupted() {
            return Err(Halt::Interrupted(reason));
        }
        if cx.host.is_draining() || cx.host.is_yielding(cx.shared.shard) {
            return Err(Halt::Interrupted(Interrupt::HandBack));
        }
        if !std::mem::take(&mut self.first_call)
            && let BudgetVerdict::Exhausted { detail, .. } =
                cx.host.ports.token_budget.check(cx.shared.id, &cx.record.spec.budget)
        {
            return Err(Halt::Budget(detail));
        }
        Ok(())
    }

    /// Ends what could not be finished; whether that is a failure.
    async fn halt(&mut self, halt: Halt) -> bool {
        let cx = self.run_task;
        match halt {
            Halt::Silent => false,
            Halt::Interrupted(reason) => {
                if let Some(outcome) = reason.outcome() {
                    cx.end(outcome).await;
                }
                false
            }
            Halt::Budget(detail) => {
                cx.pause_for_budget(&detail).await;
                cx.end(Outcome::HandedBack).await;
                false
            }
            Halt::Outcome(outcome) => {
                cx.end(outcome).await;
                true
            }
            Halt::Postponed(why, wait) => {
                let outcome = self.wait_until_asked_back(why, wait).await;
                if let Some(outcome) = outcome {
                    cx.end(outcome).await;
                }
                false
            }
            Halt::Transient(why) => {
                let outcome = self.wait_for_retry(why).await;
                if let Some(outcome) = outcome {
                    cx.end(outcome).await;
                }
                true
            }
        }
    }

    /// Waits before the task goes back into its mailbox, without a permit and without the actor. Whoever pauses or stops
    /// the agent meanwhile does not wait.
    async fn wait_for_retry(&mut self, why: String) -> Option<Outcome> {
        let cx = self.run_task;
        self.permit = None;
        debug!(task.id = %cx.task.id, attempt = self.attempt, why, "the attempt failed");
        let retry = Outcome::Retry(why.into());
        if self.attempt >= cx.task.max_attempts {
            return Some(retry);
        }
        tokio::select! {
            biased;
            reason = cx.control.until_interrupted() => match reason {
                Interrupt::HandBack => Some(retry),
                Interrupt::Cancel | Interrupt::Stop | Interrupt::Fence => reason.outcome(),
            },
            // The wait is no step: whoever leads the shard next need not wait for its end.
            () = cx.host.until_yielding(cx.shared.shard) => Some(retry),
            () = tokio::time::sleep(cx.host.backoff().wait(cx.task.id, self.attempt)) => Some(retry),
        }
    }
}

impl Execution<'_> {
    /// Waits for as long as the model asks, without a permit, and then hands the task back as if it had not been begun. The
    /// agent's place is kept: its next task would ask the same model. A task that does not live for so long ends here.
    async fn wait_until_asked_back(&mut self, why: String, wait: Duration) -> Option<Outcome> {
        let cx = self.run_task;
        self.permit = None;
        let (lives, since) = self.lives;
        let left = lives.saturating_sub(since.elapsed());
        let why: Arc<str> = why.into();
        if wait >= left {
            let detail = format!("{why}; its time to live ends in {} s", left.as_secs());
            return Some(Outcome::DeadLetter(DeadLetterReason::Expired, detail.into()));
        }
        debug!(task.id = %cx.task.id, wait_ms = wait.as_millis(), %why, "the task waits for its model");
        let postponed = Outcome::Postponed(why);
        tokio::select! {
            biased;
            reason = cx.control.until_interrupted() => match reason {
                Interrupt::HandBack => Some(postponed),
                Interrupt::Cancel | Interrupt::Stop | Interrupt::Fence => reason.outcome(),
            },
            () = cx.host.stopping.cancelled() => Some(postponed),
            () = cx.host.until_yielding(cx.shared.shard) => Some(postponed),
            () = tokio::time::sleep(cx.host.backoff().spread(cx.task.id, wait)) => Some(postponed),
        }
    }
}

async fn not_begun(cx: &RunTask, error: &ProposeError) -> Halt {
    debug!(task.id = %cx.task.id, %error, "the task could not be begun");
    tokio::select! {
        biased;
        _ = cx.control.until_interrupted() => {}
        () = tokio::time::sleep(REFUSED_PAUSE) => {}
    }
    Halt::Silent
}

fn done_text(step: &StepRecord) -> Arc<str> {
    match &step.outcome {
        StepOutcome::Done(text) | StepOutcome::Failed(text) => Arc::clone(text),
    }
}
