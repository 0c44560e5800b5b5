//! What a run writes into the log: its steps and its end.

use super::{Execution, Halt, done_text};
use crate::actor::essence::{Done, Run};
use octopussy_core::agent::{AgentType, Usage};
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Command, Outcome, StepKind, StepOutcome, StepRecord};
use octopussy_core::time::Timestamp;
use std::sync::Arc;
use tracing::warn;

impl Execution<'_> {
    #[expect(clippy::too_many_arguments, reason = "a step has that many fields of its own")]
    pub(super) fn step(
        &self,
        index: u32,
        kind: StepKind,
        name: Arc<str>,
        by: Arc<str>,
        started_at: Timestamp,
        text: Arc<str>,
        usage: Usage,
    ) -> Arc<StepRecord> {
        Arc::new(StepRecord {
            index,
            kind,
            name,
            by,
            attempt: self.attempt,
            epoch: self.run_task.shared.epoch,
            started_at,
            ended_at: self.run_task.host.clock.now(),
            outcome: StepOutcome::Done(text),
            usage,
        })
    }

    pub(super) fn step_command(&self, step: &Arc<StepRecord>) -> Command {
        Command::Step { task: self.run_task.task.id, step: Arc::clone(step), now: step.ended_at }
    }

    pub(super) async fn commit_step(&self, step: &Arc<StepRecord>) -> Result<(), Halt> {
        let cx = self.run_task;
        match cx.host.commit(&cx.shared, self.step_command(step)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Commits a step whose first proposal was answered with `error`.
    pub(super) async fn commit_step_again(&self, step: &Arc<StepRecord>, error: ProposeError) -> Result<(), Halt> {
        let cx = self.run_task;
        match cx.host.commit_again(&cx.shared, self.step_command(step), error).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// Commits the last step, where there is one, and the end behind it without waiting in between: the log is ordered.
    pub(super) async fn finish(&mut self, text: &str, last: Option<Arc<StepRecord>>) -> Result<(), Halt> {
        let cx = self.run_task;
        let step = last.map(|step| {
            let committed = cx.host.ports.ledger.propose(cx.shared.shard, self.step_command(&step));
            (step, committed)
        });
        let result = match cx.result(text, &self.redacted) {
            Ok(message) => Outcome::Succeeded(Arc::new(message)),
            Err(why) => Outcome::Failed(why.into()),
        };
        let memory = self.remember_answer(text);
        let end = cx.end_command(result, memory);
        let ended = cx.host.ports.ledger.propose(cx.shared.shard, end.clone());
        cx.control.seal();
        cx.shared.wake();
        let mut lost = match step {
            None => None,
            Some((step, committed)) => committed.await.err().map(|error| (step, error)),
        };
        if let Err(error) = ended.await {
            cx.control.unseal();
            // Behind its last step, as in the first place. One that was refused stays out of the journal for good.
            lost = match lost {
                Some((step, error @ ProposeError::Refused(_))) => Some((step, error)),
                Some((step, error)) => {
                    self.commit_step_again(&step, error).await?;
                    None
                }
                None => None,
            };
            cx.host.commit_again(&cx.shared, end, error).await.map_err(|error| self.refused(&error))?;
        }
        if let Some((step, error)) = lost {
            self.count_lost(&step, &error).await;
        }
        Ok(())
    }

    /// What a stateful agent remembers from now on.
    fn remember_answer(&mut self, text: &str) -> Option<Arc<str>> {
        let cx = self.run_task;
        if cx.record.spec.agent_type != AgentType::StatefulLoop {
            return None;
        }
        let mut memory = std::mem::take(&mut self.memory);
        memory.remember(&self.content.input, text);
        let written = Arc::<str>::from(memory.to_text());
        *cx.shared.memory.lock() = Some((Arc::clone(&written), memory));
        Some(written)
    }

    /// The answer is safe without its step in the journal; what it cost must still count.
    async fn count_lost(&self, step: &Arc<StepRecord>, error: &ProposeError) {
        let cx = self.run_task;
        let record = cx.host.read_led(&cx.shared, |led| led.task(cx.task.id)).await.ok().flatten();
        if record.is_some_and(|record| record.steps.contains(step)) {
            return;
        }
        warn!(task.id = %cx.task.id, %error, "the last step is missing from the journal");
        let spent = Command::RecordUsage { agent: cx.shared.id, usage: step.usage, now: cx.host.clock.now() };
        if let Err(error) = cx.host.commit(&cx.shared, spent).await {
            warn!(task.id = %cx.task.id, %error, "what the last step cost is not counted");
        }
    }

    pub(super) fn refused(&self, error: &ProposeError) -> Halt {
        // It would be refused at every attempt; the end that says so is short.
        if let ProposeError::TooLarge { .. } = error {
            return Halt::Outcome(Outcome::Failed(error.to_string().into()));
        }
        warn!(task.id = %self.run_task.task.id, %error, "the ledger does not take the run any further");
        Halt::Silent
    }
}

pub(super) fn complete(run: &mut Run, step: &StepRecord) {
    run.complete(Done { kind: step.kind, name: Arc::clone(&step.name), text: done_text(step) });
}
