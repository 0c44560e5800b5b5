//! Tasks before and after their runs: accepting, cancelling, replaying, discarding.

use crate::machine::{Handled, Stop};
use crate::{
    Cold, ColdError, Effects, HotTask, IDEMPOTENCY_WINDOW, IdempotencyEntry, IdempotencyKey, MAILBOX_TEXT, Machine,
    Write,
};
use octopussy_core::agent::{AgentRecord, Desired};
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::message::Message;
use octopussy_core::task::{
    Applied, DeadLetterReason, LedgerEvent, MAILBOX_CAPACITY, NewTask, Refusal, TaskRecord, TaskState,
};
use octopussy_core::time::Timestamp;
use std::sync::Arc;

impl Machine {
    pub(crate) fn accept(
        &mut self,
        position: u64,
        task: NewTask,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let now = self.at(now);
        let key = task.idempotency.as_ref().map(|(key, fingerprint)| {
            (IdempotencyKey { agent: task.agent, sender: task.sender, key: Arc::clone(key) }, *fingerprint)
        });
        if let Some(applied) = self.accepted_before(task.id, key.as_ref(), now, cold)? {
            return Ok(applied);
        }
        let agent = self.agent_with_room(task.agent, cold)?;
        if let Some((key, _)) = &key
            && let Some(old) = cold.idempotency(key)?
        {
            effects.writes.push(Write::KeyForgotten(key.clone(), old.at));
        }
        self.advance(now);
        let record = Arc::new(TaskRecord {
            id: task.id,
            agent: task.agent,
            sender: task.sender,
            priority: task.message.priority(),
            sequence: position,
            state: TaskState::Accepted,
            accepted_at: now,
            updated_at: now,
            expires_at: now.plus(task.message.ttl()),
            attempts: 0,
            max_attempts: task.max_attempts.max(1),
            epoch: self.record.epoch,
            steps: Vec::new(),
            result: None,
            error: None,
            dead_letter: None,
            idempotency_key: task.idempotency.map(|(key, _)| key),
            begun: 0,
            crashes: 0,
            agent_version: 0,
            message: task.message,
        });
        if let Some((key, fingerprint)) = key {
            let entry = IdempotencyEntry { fingerprint, task: record.id, at: now };
            effects.writes.push(Write::Key(key, entry));
        }
        effects.writes.push(Write::Head(Arc::clone(&record)));
        self.admit(agent, Arc::clone(&record), effects);
        Ok(Applied::Task(record))
    }

    /// The answer to a request that was made before: by its key, or by the very id of its task.
    fn accepted_before(
        &self,
        id: TaskId,
        key: Option<&(IdempotencyKey, u64)>,
        now: Timestamp,
        cold: &impl Cold,
    ) -> Result<Option<Applied>, Stop> {
        if let Some((key, fingerprint)) = key
            && let Some(entry) = cold.idempotency(key)?
            && now.since(entry.at) <= IDEMPOTENCY_WINDOW
        {
            if entry.fingerprint != *fingerprint {
                return Err(Refusal::IdempotencyConflict(Arc::clone(&key.key)).into());
            }
            if let Some(task) = self.task(entry.task, cold)? {
                return Ok(Some(Applied::Duplicate(task)));
            }
        }
        Ok(self.task(id, cold)?.map(Applied::Duplicate))
    }

    /// The agent, when it may be given another task.
    fn agent_with_room(&self, id: AgentId, cold: &impl Cold) -> Result<Arc<AgentRecord>, Stop> {
        let agent = self.find_agent(id, cold)?.ok_or(Refusal::UnknownAgent(id))?;
        if agent.desired == Desired::Stopped {
            return Err(Refusal::AgentStopped(id).into());
        }
        if self.waiting(id) >= MAILBOX_CAPACITY {
            return Err(Refusal::MailboxFull { agent: id, capacity: MAILBOX_CAPACITY }.into());
        }
        // Without the new task's own text: no task is too long for an empty mailbox.
        if self.waiting_text(id) >= MAILBOX_TEXT {
            return Err(Refusal::MailboxTextFull { agent: id, limit: MAILBOX_TEXT }.into());
        }
        Ok(agent)
    }

    /// Puts a task that waits into its agent's mailbox and tells of it.
    pub(crate) fn admit(&mut self, agent: Arc<AgentRecord>, record: Arc<TaskRecord>, effects: &mut Effects) {
        if Self::takes_work(&agent) {
            effects.events.push(LedgerEvent::TaskReady { agent: record.agent, task: record.id });
        }
        let task = HotTask { record, cancel: None };
        effects.writes.push(Write::Hot(task.clone()));
        self.keep_hot(agent, task);
    }

    pub(crate) fn cancel(
        &mut self,
        id: TaskId,
        reason: Arc<str>,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let Some(task) = self.tasks.get_mut(&id) else {
            return match cold.task(id)? {
                Some(record) if is_cancelled_by(&record, &reason) => Ok(Applied::Task(record)),
                Some(_) => Err(Refusal::TaskEnded(id).into()),
                None => Err(Refusal::UnknownTask(id).into()),
            };
        };
        if let Some(task) = task.whole_mut().filter(|task| task.record.state == TaskState::Running) {
            task.cancel = Some(reason);
            let record = Arc::clone(&task.record);
            effects.writes.push(Write::Hot(task.clone()));
            effects.events.push(LedgerEvent::CancelRequested { agent: record.agent, task: id });
            self.advance(now);
            return Ok(Applied::Task(record));
        }
        let record = self.task(id, cold)?.ok_or(Refusal::UnknownTask(id))?;
        let now = self.advance(now);
        self.end_as(record, now, effects, |record| {
            record.state = TaskState::Cancelled;
            record.error = Some(reason);
        })
    }

    pub(crate) fn replay(
        &mut self,
        position: u64,
        id: TaskId,
        message: Arc<Message>,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let mut record = self.find_dead_letter(id, cold)?;
        let agent = self.agent_with_room(record.agent, cold)?;
        let now = self.advance(now);
        effects.writes.push(Write::Revived(Arc::clone(&record)));
        let task = Arc::make_mut(&mut record);
        task.priority = message.priority();
        task.expires_at = now.plus(message.ttl());
        task.message = message;
        task.sequence = position;
        task.state = TaskState::Accepted;
        task.accepted_at = now;
        task.updated_at = now;
        task.attempts = 0;
        task.crashes = 0;
        task.error = None;
        task.dead_letter = None;
        self.record.dead = self.record.dead.saturating_sub(1);
        effects.writes.push(Write::Head(Arc::clone(&record)));
        self.admit(agent, Arc::clone(&record), effects);
        Ok(Applied::Task(record))
    }

    pub(crate) fn discard(&mut self, id: TaskId, cold: &impl Cold, effects: &mut Effects) -> Handled {
        let record = self.find_dead_letter(id, cold)?;
        self.forget_task(record, cold, effects)?;
        self.record.dead = self.record.dead.saturating_sub(1);
        Ok(Applied::Done)
    }

    fn find_dead_letter(&self, id: TaskId, cold: &impl Cold) -> Result<Arc<TaskRecord>, Stop> {
        let record = self.task(id, cold)?.ok_or(Refusal::UnknownTask(id))?;
        if record.state != TaskState::DeadLettered {
            return Err(Refusal::NotDeadLettered(id).into());
        }
        Ok(record)
    }

    /// Removes an ended task and the idempotency key that still stands for it.
    pub(crate) fn forget_task(
        &self,
        record: Arc<TaskRecord>,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Result<(), ColdError> {
        if let Some(key) = &record.idempotency_key {
            let key = IdempotencyKey { agent: record.agent, sender: record.sender, key: Arc::clone(key) };
            if let Some(entry) = cold.idempotency(&key)?
                && entry.task == record.id
            {
                effects.writes.push(Write::KeyForgotten(key, entry.at));
            }
        }
        effects.writes.push(Write::Forgotten(record));
        Ok(())
    }

    /// Dead-letters a task.
    pub(crate) fn bury(
        &mut self,
        task: Arc<TaskRecord>,
        reason: DeadLetterReason,
        detail: Option<Arc<str>>,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Handled {
        self.end_as(task, now, effects, |record| {
            record.state = TaskState::DeadLettered;
            record.dead_letter = Some(reason);
            record.error = detail.or_else(|| record.error.take());
        })
    }

    /// Ends a task, which is as `record` says, the way `change` says, counts it and tells of it.
    pub(crate) fn end_as(
        &mut self,
        mut record: Arc<TaskRecord>,
        now: Timestamp,
        effects: &mut Effects,
        change: impl FnOnce(&mut TaskRecord),
    ) -> Handled {
        let mut agent = self.take_hot(record.id).ok_or(Refusal::UnknownTask(record.id))?;
        let ended = Arc::make_mut(&mut record);
        ended.updated_at = now;
        change(ended);
        if record.state == TaskState::DeadLettered {
            self.record.dead += 1;
        } else {
            self.record.ended += 1;
        }
        let counted = Arc::make_mut(&mut agent);
        counted.tasks_ended += 1;
        self.put_agent(&agent, effects);
        effects.writes.push(Write::Ended(Arc::clone(&record)));
        effects.events.push(LedgerEvent::TaskEnded { task: Arc::clone(&record) });
        Ok(Applied::Task(record))
    }
}

/// Whether the task was ended by such a request: its sender repeats it when the answer was lost.
fn is_cancelled_by(record: &TaskRecord, reason: &Arc<str>) -> bool {
    record.state == TaskState::Cancelled && record.error.as_ref() == Some(reason)
}
