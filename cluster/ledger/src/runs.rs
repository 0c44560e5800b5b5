//! Runs of tasks: begin, steps, end.

use crate::machine::{Handled, Stop};
use crate::unended::{Unended, step_size};
use crate::{Cold, Effects, HotTask, MAX_STEPS, Machine, Write};
use octopussy_core::agent::{AgentRecord, Desired};
use octopussy_core::ids::{Epoch, TaskId};
use octopussy_core::task::{
    Applied, DeadLetterReason, LedgerEvent, Outcome, Refusal, StepRecord, TaskRecord, TaskState,
};
use octopussy_core::time::Timestamp;
use std::sync::Arc;

impl Machine {
    /// Begins a waiting task. One that has expired or used up its attempts is dead-lettered instead: the answer is then the
    /// task as it ended.
    pub(crate) fn begin(
        &mut self,
        id: TaskId,
        epoch: Epoch,
        version: u32,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        match self.tasks.get(&id).map(Unended::state) {
            None => return Err(Self::not_hot(id, cold)),
            Some(TaskState::Accepted) => {}
            Some(_) => return Err(Refusal::NotWaiting(id).into()),
        }
        if epoch != self.record.epoch {
            return Err(Refusal::StaleEpoch { given: epoch, current: self.record.epoch }.into());
        }
        let mut record = self.task(id, cold)?.ok_or(Refusal::UnknownTask(id))?;
        let Some(agent) = self.agents.get(&record.agent).filter(|agent| Self::takes_work(&agent.record)) else {
            return Err(Refusal::NotWaiting(id).into());
        };
        let current = record.version_to_run(&agent.record);
        if version != current {
            return Err(Refusal::AgentChanged { agent: record.agent, given: version, current }.into());
        }
        let now = self.advance(now);
        if now > record.expires_at {
            return self.bury(record, DeadLetterReason::Expired, None, now, effects);
        }
        if record.attempts >= record.max_attempts {
            return self.bury(record, DeadLetterReason::AttemptsExhausted, None, now, effects);
        }
        let agent = self.take_hot(id).ok_or(Refusal::UnknownTask(id))?;
        let begun = Arc::make_mut(&mut record);
        begun.state = TaskState::Running;
        begun.attempts += 1;
        begun.begun = begun.begun.saturating_add(1);
        begun.epoch = epoch;
        begun.agent_version = version;
        begun.updated_at = now;
        let task = HotTask { record: Arc::clone(&record), cancel: None };
        effects.writes.push(Write::Hot(task.clone()));
        effects.events.push(LedgerEvent::TaskBegun { task: Arc::clone(&record) });
        self.keep_hot(agent, task);
        Ok(Applied::Task(record))
    }

    /// The running task, when `epoch` is its own.
    fn running(&self, id: TaskId, epoch: Epoch, cold: &impl Cold) -> Result<&HotTask, Stop> {
        let Some(task) = self.tasks.get(&id) else { return Err(Self::not_hot(id, cold)) };
        let stale = Refusal::StaleEpoch { given: epoch, current: self.record.epoch };
        if epoch != self.record.epoch {
            return Err(stale.into());
        }
        let running = task.whole().filter(|task| task.record.state == TaskState::Running);
        let task = running.ok_or(Refusal::NotRunning(id))?;
        if epoch != task.record.epoch {
            return Err(stale.into());
        }
        Ok(task)
    }

    pub(crate) fn step(
        &mut self,
        id: TaskId,
        step: Arc<StepRecord>,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let task = self.running(id, step.epoch, cold)?;
        let expected = u32::try_from(task.record.steps.len()).unwrap_or(u32::MAX);
        if step.index != expected || expected >= MAX_STEPS {
            return Err(Refusal::StepOutOfOrder { given: step.index, expected }.into());
        }
        let now = self.advance(now);
        let Some(task) = self.tasks.get_mut(&id).and_then(Unended::whole_mut) else {
            return Err(Self::not_hot(id, cold));
        };
        let record = Arc::make_mut(&mut task.record);
        record.steps.push(Arc::clone(&step));
        record.updated_at = now;
        let agent = record.agent;
        self.bytes += step_size(&step);
        effects.writes.push(Write::Step(id, Arc::clone(&step)));
        effects.writes.push(Write::Hot(task.clone()));
        if step.usage != octopussy_core::agent::Usage::default()
            && let Some(hot) = self.agents.get_mut(&agent)
        {
            Arc::make_mut(&mut hot.record).usage.record(step.usage, now);
            effects.writes.push(Write::Agent(Arc::clone(&hot.record)));
        }
        effects.events.push(LedgerEvent::StepDone { task: id, step });
        Ok(Applied::Done)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one command")]
    pub(crate) fn end(
        &mut self,
        id: TaskId,
        epoch: Epoch,
        outcome: Outcome,
        memory: Option<Arc<str>>,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let record = Arc::clone(&self.running(id, epoch, cold)?.record);
        let now = self.advance(now);
        if let Some(memory) = memory
            && let Some(hot) = self.agents.get_mut(&record.agent)
        {
            Arc::make_mut(&mut hot.record).memory = Some(memory);
            effects.writes.push(Write::Agent(Arc::clone(&hot.record)));
        }
        match outcome {
            Outcome::Succeeded(result) => self.end_as(record, now, effects, |record| {
                record.state = TaskState::Succeeded;
                record.result = Some(result);
                record.error = None;
            }),
            Outcome::Failed(error) => self.end_as(record, now, effects, |record| {
                record.state = TaskState::Failed;
                record.error = Some(error);
            }),
            Outcome::Cancelled(reason) => self.end_as(record, now, effects, |record| {
                record.state = TaskState::Cancelled;
                record.error = Some(reason);
            }),
            Outcome::DeadLetter(reason, detail) => self.bury(record, reason, Some(detail), now, effects),
            Outcome::Retry(error) => self.hand_back(record, now, effects, |record| record.error = Some(error)),
            Outcome::HandedBack => {
                self.hand_back(record, now, effects, |record| record.attempts = record.attempts.saturating_sub(1))
            }
            Outcome::Postponed(why) => self.hand_back(record, now, effects, |record| {
                record.attempts = record.attempts.saturating_sub(1);
                record.error = Some(why);
            }),
        }
    }

    /// Takes a running task back into its mailbox at its old place, or ends it when there is a reason not to try it again.
    /// The journal is kept in every case.
    pub(crate) fn hand_back(
        &mut self,
        mut record: Arc<TaskRecord>,
        now: Timestamp,
        effects: &mut Effects,
        change: impl FnOnce(&mut TaskRecord),
    ) -> Handled {
        let id = record.id;
        let Some(task) = self.tasks.get(&id).and_then(Unended::whole) else {
            return Err(Refusal::UnknownTask(id).into());
        };
        let cancel = task.cancel.clone();
        change(Arc::make_mut(&mut record));
        if let Some(reason) = cancel {
            return self.end_as(record, now, effects, |record| {
                record.state = TaskState::Cancelled;
                record.error = Some(reason);
            });
        }
        if record.attempts >= record.max_attempts {
            return self.bury(record, DeadLetterReason::AttemptsExhausted, None, now, effects);
        }
        if self.agents.get(&record.agent).is_none_or(|agent| is_stopped(&agent.record)) {
            return self.bury(record, DeadLetterReason::AgentStopped, None, now, effects);
        }
        let agent = self.take_hot(id).ok_or(Refusal::UnknownTask(id))?;
        let waiting = Arc::make_mut(&mut record);
        waiting.state = TaskState::Accepted;
        waiting.updated_at = now;
        self.admit(agent, Arc::clone(&record), effects);
        Ok(Applied::Task(record))
    }
}

fn is_stopped(agent: &AgentRecord) -> bool {
    agent.desired == Desired::Stopped
}
