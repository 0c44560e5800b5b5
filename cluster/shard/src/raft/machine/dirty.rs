//! What has been applied to a shard and is not in the state store yet. The log holds it until then.

use super::keys::{self, Slot};
use super::records;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::task::{StepOutcome, StepRecord, TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use octopussy_ledger::{ColdError, HotTask, IdempotencyEntry, IdempotencyKey, Write};
use octopussy_store::{Batch, KeyRange, Keyspace};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// A rough size of what a record takes in memory besides its texts.
const RECORD_BYTES: usize = 512;

/// How a task is to be stored.
#[derive(Debug, Clone)]
pub(super) enum Latest {
    Hot(HotTask),
    Ended(Arc<TaskRecord>),
    Forgotten,
}

impl Latest {
    /// The task; none when it is to be removed.
    pub(super) fn record(&self) -> Option<&Arc<TaskRecord>> {
        match self {
            Self::Hot(task) => Some(&task.record),
            Self::Ended(record) => Some(record),
            Self::Forgotten => None,
        }
    }
}

#[derive(Debug, Default)]
struct DirtyAgent {
    /// None when it is to be removed.
    latest: Option<Arc<AgentRecord>>,
    /// Whether its blueprint is to be stored, too.
    blueprint: bool,
}

#[derive(Debug, Default)]
struct DirtyTask {
    latest: Option<Latest>,
    head: bool,
    revived: bool,
    /// As it was when it was forgotten; an id that comes again after that is another task.
    forgotten: Option<Arc<TaskRecord>>,
    steps: Vec<Arc<StepRecord>>,
}

/// Changes that have been applied to a shard and are not stored yet. Later ones of the same thing replace earlier ones.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// Roughly how much memory it takes.
    pub(super) bytes: usize,
    agents: BTreeMap<AgentId, DirtyAgent>,
    tasks: BTreeMap<TaskId, DirtyTask>,
    keys: BTreeMap<IdempotencyKey, Option<IdempotencyEntry>>,
    keys_removed: BTreeSet<(Timestamp, IdempotencyKey)>,
}

impl Dirty {
    /// Takes up what a command changed.
    pub(super) fn absorb(&mut self, writes: Vec<Write>) {
        for write in writes {
            self.absorb_write(write);
        }
    }

    fn task(&mut self, id: TaskId) -> &mut DirtyTask {
        let bytes = &mut self.bytes;
        self.tasks.entry(id).or_insert_with(|| {
            *bytes += RECORD_BYTES;
            DirtyTask::default()
        })
    }

    fn agent(&mut self, id: AgentId) -> &mut DirtyAgent {
        let bytes = &mut self.bytes;
        self.agents.entry(id).or_insert_with(|| {
            *bytes += RECORD_BYTES;
            DirtyAgent::default()
        })
    }

    fn set_latest(&mut self, id: TaskId, latest: Latest) {
        self.task(id).latest = Some(latest);
    }

    fn absorb_write(&mut self, write: Write) {
        match write {
            Write::Blueprint(agent) => {
                self.bytes += RECORD_BYTES + agent.spec.persona.len() + agent.spec.background.len();
                self.agents.insert(agent.id, DirtyAgent { latest: Some(agent), blueprint: true });
            }
            Write::Agent(agent) => {
                let id = agent.id;
                self.agent(id).latest = Some(agent);
            }
            Write::AgentForgotten(agent) => *self.agent(agent) = DirtyAgent::default(),
            Write::Head(record) => {
                self.bytes += record.message.payload().as_str().len();
                self.task(record.id).head = true;
            }
            Write::Hot(task) => self.set_latest(task.record.id, Latest::Hot(task)),
            Write::Ended(record) => {
                self.bytes += record.result.as_ref().map_or(0, |result| result.payload().as_str().len());
                self.set_latest(record.id, Latest::Ended(record));
            }
            Write::Revived(record) => self.task(record.id).revived = true,
            Write::Forgotten(record) => {
                let task = self.task(record.id);
                // What was stored before goes with the oldest of them; what came in between was never stored.
                let forgotten = task.forgotten.take().unwrap_or(record);
                let revived = task.revived;
                *task = DirtyTask { revived, forgotten: Some(forgotten), ..DirtyTask::default() };
                task.latest = Some(Latest::Forgotten);
            }
            Write::Step(task, step) => {
                let (StepOutcome::Done(text) | StepOutcome::Failed(text)) = &step.outcome;
                self.bytes += text.len() + RECORD_BYTES / 2;
                self.task(task).steps.push(step);
            }
            Write::Key(key, entry) => {
                self.bytes += RECORD_BYTES / 2;
                self.keys.insert(key, Some(entry));
            }
            Write::KeyForgotten(key, at) => {
                self.bytes += RECORD_BYTES / 2;
                self.keys_removed.insert((at, key.clone()));
                self.keys.insert(key, None);
            }
        }
    }

    /// An agent; the outer none says that this holds nothing about it.
    pub(super) fn find_agent(&self, id: AgentId) -> Option<Option<&Arc<AgentRecord>>> {
        self.agents.get(&id).map(|agent| agent.latest.as_ref())
    }

    /// The agents in it after `after`, in order.
    pub(super) fn agents_after(&self, after: Option<AgentId>) -> impl Iterator<Item = AgentId> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let there = self.agents.range((from, Bound::Unbounded)).filter(|(_, agent)| agent.latest.is_some());
        there.map(|(id, _)| *id)
    }

    /// The agents after `after` that it removes.
    pub(super) fn agents_gone(&self, after: Option<AgentId>) -> impl Iterator<Item = AgentId> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let gone = self.agents.range((from, Bound::Unbounded)).filter(|(_, agent)| agent.latest.is_none());
        gone.map(|(id, _)| *id)
    }

    pub(super) fn find_task(&self, id: TaskId) -> Option<&Latest> {
        self.tasks.get(&id)?.latest.as_ref()
    }

    /// The tasks in it that are older than this one, newest first.
    pub(super) fn tasks_before(&self, before: Option<TaskId>) -> impl Iterator<Item = (TaskId, &Latest)> {
        let older = (Bound::Unbounded, before.map_or(Bound::Unbounded, Bound::Excluded));
        self.tasks.range(older).rev().filter_map(|(id, task)| Some((*id, task.latest.as_ref()?)))
    }

    /// Ended tasks in it, dead letters aside.
    pub(super) fn ended(&self) -> impl Iterator<Item = &Arc<TaskRecord>> {
        self.tasks.values().filter_map(|task| match task.latest.as_ref()? {
            Latest::Ended(record) if record.state != TaskState::DeadLettered => Some(record),
            Latest::Ended(_) | Latest::Hot(_) | Latest::Forgotten => None,
        })
    }

    /// Dead letters in it.
    pub(super) fn dead(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.iter().filter_map(|(id, task)| match task.latest.as_ref()? {
            Latest::Ended(record) if record.state == TaskState::DeadLettered => Some(*id),
            Latest::Ended(_) | Latest::Hot(_) | Latest::Forgotten => None,
        })
    }

    /// What a key stands for; the outer none says that this holds nothing about it.
    pub(super) fn find_key(&self, key: &IdempotencyKey) -> Option<Option<IdempotencyEntry>> {
        self.keys.get(key).copied()
    }

    /// Keys that it sets.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&IdempotencyKey, IdempotencyEntry)> {
        self.keys.iter().filter_map(|(key, entry)| entry.map(|entry| (key, entry)))
    }

    /// Adds all of it to a batch.
    pub(super) fn store(&self, slot: Slot, batch: &mut Batch) -> Result<(), ColdError> {
        for (id, agent) in &self.agents {
            let key = keys::agent(slot, *id);
            let Some(latest) = &agent.latest else {
                batch.delete(Keyspace::Agents, key.clone());
                batch.delete(Keyspace::AgentStates, key);
                continue;
            };
            if agent.blueprint {
                batch.put(Keyspace::Agents, key.clone(), records::agent_head(latest)?);
            }
            batch.put(Keyspace::AgentStates, key, records::agent_status(latest)?);
        }
        for (id, task) in &self.tasks {
            task.store(slot, *id, batch)?;
        }
        for (at, key) in &self.keys_removed {
            batch.delete(Keyspace::IdempotencyByTime, keys::idempotency_by_time(slot, *at, key));
        }
        for (key, entry) in &self.keys {
            let Some(entry) = entry else {
                batch.delete(Keyspace::Idempotency, keys::idempotency(slot, key));
                continue;
            };
            let value = records::encode("an idempotency key", entry)?;
            batch.put(Keyspace::IdempotencyByTime, keys::idempotency_by_time(slot, entry.at, key), value.clone());
            batch.put(Keyspace::Idempotency, keys::idempotency(slot, key), value);
        }
        Ok(())
    }
}

impl DirtyTask {
    /// Whose it is.
    fn agent(&self) -> Option<AgentId> {
        let latest = self.latest.as_ref().and_then(Latest::record);
        latest.or(self.forgotten.as_ref()).map(|record| record.agent)
    }

    fn store(&self, slot: Slot, id: TaskId, batch: &mut Batch) -> Result<(), ColdError> {
        let key = keys::task(slot, id);
        if self.revived {
            batch.delete(Keyspace::TasksByState, keys::by_state(slot, TaskState::DeadLettered, id));
            if let Some(agent) = self.agent() {
                batch.delete(Keyspace::TasksByAgent, keys::by_agent(slot, agent, TaskState::DeadLettered, id));
            }
        }
        if let Some(forgotten) = &self.forgotten {
            remove(slot, forgotten, batch);
        }
        let Some(latest) = &self.latest else { return Ok(()) };
        let (record, cancel) = match latest {
            Latest::Hot(task) => {
                batch.put(Keyspace::HotTasks, key.clone(), Vec::new());
                (&task.record, task.cancel.as_ref())
            }
            Latest::Ended(record) => {
                // One that was accepted and ended since the last flush was never stored among the hot ones.
                if !self.head || self.revived {
                    batch.delete(Keyspace::HotTasks, key.clone());
                }
                batch.put(Keyspace::TasksByState, keys::by_state(slot, record.state, id), Vec::new());
                let by_agent = keys::by_agent(slot, record.agent, record.state, id);
                batch.put(Keyspace::TasksByAgent, by_agent, Vec::new());
                if record.state != TaskState::DeadLettered {
                    batch.put(Keyspace::TasksByEnd, keys::by_end(slot, record.updated_at, id), Vec::new());
                }
                (record, None)
            }
            Latest::Forgotten => return Ok(()),
        };
        if self.head {
            batch.put(Keyspace::Tasks, key.clone(), records::task_head(record)?);
        }
        batch.put(Keyspace::TaskStates, key, records::task_status(record, cancel)?);
        for step in &self.steps {
            batch.put(Keyspace::Steps, keys::step(slot, id, step.index), records::encode("a step", step)?);
        }
        Ok(())
    }
}

fn remove(slot: Slot, record: &TaskRecord, batch: &mut Batch) {
    let key = keys::task(slot, record.id);
    batch.delete(Keyspace::HotTasks, key.clone());
    batch.delete(Keyspace::Tasks, key.clone());
    batch.delete(Keyspace::TaskStates, key.clone());
    batch.delete(Keyspace::TasksByAgent, keys::by_agent(slot, record.agent, record.state, record.id));
    batch.delete(Keyspace::TasksByState, keys::by_state(slot, record.state, record.id));
    batch.delete(Keyspace::TasksByEnd, keys::by_end(slot, record.updated_at, record.id));
    if !record.steps.is_empty() {
        batch.delete_range(Keyspace::Steps, KeyRange::prefix(&key));
    }
}
