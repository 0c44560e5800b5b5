//! What has been applied and is not in the state store yet. The log holds it until then.

use crate::{keys, records};
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_core::task::{StepOutcome, StepRecord, TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use octopussy_ledger::{ColdError, HotTask, IdempotencyEntry, IdempotencyKey, ShardRecord, Write};
use octopussy_store::{Batch, KeyRange, Keyspace};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A rough size of what a record takes in memory besides its texts.
const RECORD_BYTES: usize = 512;

/// How a task is to be stored.
#[derive(Debug, Clone)]
pub(crate) enum Latest {
    Hot(HotTask),
    Ended(Arc<TaskRecord>),
    Forgotten(Arc<TaskRecord>),
}

impl Latest {
    /// The task; none when it is to be removed.
    pub(crate) fn record(&self) -> Option<&Arc<TaskRecord>> {
        match self {
            Self::Hot(task) => Some(&task.record),
            Self::Ended(record) => Some(record),
            Self::Forgotten(_) => None,
        }
    }
}

#[derive(Debug)]
struct DirtyTask {
    shard: ShardId,
    latest: Option<Latest>,
    head: bool,
    revived: bool,
    steps: Vec<Arc<StepRecord>>,
}

/// Changes that have been applied and are not stored yet, of all shards.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    /// The index of the last command in it.
    pub(crate) applied: u64,
    /// Roughly how much memory it takes.
    pub(crate) bytes: usize,
    shards: BTreeMap<ShardId, ShardRecord>,
    agents: BTreeMap<AgentId, (Arc<AgentRecord>, bool)>,
    tasks: BTreeMap<TaskId, DirtyTask>,
    keys: BTreeMap<IdempotencyKey, (ShardId, Option<IdempotencyEntry>)>,
    keys_removed: BTreeSet<(ShardId, Timestamp, IdempotencyKey)>,
}

impl Dirty {
    /// Whether there is nothing to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.applied == 0
    }

    /// Takes up what the command at `index` of `shard` changed.
    pub(crate) fn absorb(&mut self, index: u64, shard: ShardId, record: ShardRecord, writes: Vec<Write>) {
        self.applied = index;
        self.shards.insert(shard, record);
        for write in writes {
            self.absorb_write(shard, write);
        }
    }

    fn task(&mut self, shard: ShardId, id: TaskId) -> &mut DirtyTask {
        let bytes = &mut self.bytes;
        self.tasks.entry(id).or_insert_with(|| {
            *bytes += RECORD_BYTES;
            DirtyTask { shard, latest: None, head: false, revived: false, steps: Vec::new() }
        })
    }

    fn set_latest(&mut self, shard: ShardId, id: TaskId, latest: Latest) {
        self.task(shard, id).latest = Some(latest);
    }

    fn absorb_write(&mut self, shard: ShardId, write: Write) {
        match write {
            Write::Blueprint(agent) => {
                self.bytes += RECORD_BYTES + agent.spec.persona.len() + agent.spec.background.len();
                self.agents.insert(agent.id, (agent, true));
            }
            Write::Agent(agent) => {
                let bytes = &mut self.bytes;
                let entry = self.agents.entry(agent.id).or_insert_with(|| {
                    *bytes += RECORD_BYTES;
                    (Arc::clone(&agent), false)
                });
                entry.0 = agent;
            }
            Write::Head(record) => {
                self.bytes += record.message.payload().as_str().len();
                self.task(shard, record.id).head = true;
            }
            Write::Hot(task) => self.set_latest(shard, task.record.id, Latest::Hot(task)),
            Write::Ended(record) => {
                self.bytes += record.result.as_ref().map_or(0, |result| result.payload().as_str().len());
                self.set_latest(shard, record.id, Latest::Ended(record));
            }
            Write::Revived(record) => self.task(shard, record.id).revived = true,
            Write::Forgotten(record) => self.set_latest(shard, record.id, Latest::Forgotten(record)),
            Write::Step(task, step) => {
                let (StepOutcome::Done(text) | StepOutcome::Failed(text)) = &step.outcome;
                self.bytes += text.len() + RECORD_BYTES / 2;
                self.task(shard, task).steps.push(step);
            }
            Write::Key(key, entry) => {
                self.bytes += RECORD_BYTES / 2;
                self.keys.insert(key, (shard, Some(entry)));
            }
            Write::KeyForgotten(key, at) => {
                self.bytes += RECORD_BYTES / 2;
                self.keys_removed.insert((shard, at, key.clone()));
                self.keys.insert(key, (shard, None));
            }
        }
    }

    pub(crate) fn find_agent(&self, id: AgentId) -> Option<&Arc<AgentRecord>> {
        self.agents.get(&id).map(|(agent, _)| agent)
    }

    /// The agents in it after `after`, in order.
    pub(crate) fn agents_after(&self, after: Option<AgentId>) -> impl Iterator<Item = AgentId> + '_ {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.agents.range((from, Bound::Unbounded)).map(|(id, _)| *id)
    }

    pub(crate) fn find_task(&self, id: TaskId) -> Option<&Latest> {
        self.tasks.get(&id)?.latest.as_ref()
    }

    /// Every task in it.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = (TaskId, &Latest)> {
        self.tasks.iter().filter_map(|(id, task)| Some((*id, task.latest.as_ref()?)))
    }

    /// Ended tasks of `shard` in it, dead letters aside.
    pub(crate) fn ended(&self, shard: ShardId) -> impl Iterator<Item = &Arc<TaskRecord>> {
        self.tasks.values().filter(move |task| task.shard == shard).filter_map(|task| match task.latest.as_ref()? {
            Latest::Ended(record) if record.state != TaskState::DeadLettered => Some(record),
            Latest::Ended(_) | Latest::Hot(_) | Latest::Forgotten(_) => None,
        })
    }

    /// What a key stands for; the outer none says that this holds nothing about it.
    pub(crate) fn find_key(&self, key: &IdempotencyKey) -> Option<Option<IdempotencyEntry>> {
        self.keys.get(key).map(|(_, entry)| *entry)
    }

    /// Keys of `shard` that it sets.
    pub(crate) fn keys(&self, shard: ShardId) -> impl Iterator<Item = (&IdempotencyKey, IdempotencyEntry)> {
        self.keys
            .iter()
            .filter(move |(_, (of, _))| *of == shard)
            .filter_map(|(key, (_, entry))| entry.map(|entry| (key, entry)))
    }

    /// All of it as one batch.
    pub(crate) fn to_batch(&self) -> Result<Batch, ColdError> {
        let mut batch = Batch::new();
        batch.put(Keyspace::Meta, keys::APPLIED, self.applied.to_be_bytes());
        for (id, record) in &self.shards {
            batch.put(Keyspace::Meta, keys::shard(*id), records::encode("a shard", record)?);
        }
        for (id, (agent, new)) in &self.agents {
            if *new {
                batch.put(Keyspace::Agents, *id.as_bytes(), records::agent_head(agent)?);
            }
            batch.put(Keyspace::AgentStates, *id.as_bytes(), records::agent_status(agent)?);
        }
        for (id, task) in &self.tasks {
            task.store(*id, &mut batch)?;
        }
        for (shard, at, key) in &self.keys_removed {
            batch.delete(Keyspace::IdempotencyByTime, keys::idempotency_by_time(*shard, *at, key));
        }
        for (key, (shard, entry)) in &self.keys {
            let Some(entry) = entry else {
                batch.delete(Keyspace::Idempotency, keys::idempotency(key));
                continue;
            };
            let value = records::encode("an idempotency key", entry)?;
            batch.put(Keyspace::IdempotencyByTime, keys::idempotency_by_time(*shard, entry.at, key), value.clone());
            batch.put(Keyspace::Idempotency, keys::idempotency(key), value);
        }
        Ok(batch)
    }
}

impl DirtyTask {
    fn store(&self, id: TaskId, batch: &mut Batch) -> Result<(), ColdError> {
        let key = *id.as_bytes();
        if self.revived {
            batch.delete(Keyspace::TasksByState, keys::by_state(TaskState::DeadLettered, id));
        }
        let Some(latest) = &self.latest else { return Ok(()) };
        let (record, cancel) = match latest {
            Latest::Hot(task) => {
                batch.put(Keyspace::HotTasks, key, Vec::new());
                (&task.record, task.cancel.as_ref())
            }
            Latest::Ended(record) => {
                // One that was accepted and ended since the last flush was never stored among the hot ones.
                if !self.head || self.revived {
                    batch.delete(Keyspace::HotTasks, key);
                }
                batch.put(Keyspace::TasksByState, keys::by_state(record.state, id), Vec::new());
                if record.state != TaskState::DeadLettered {
                    batch.put(Keyspace::TasksByEnd, keys::by_end(self.shard, record.updated_at, id), Vec::new());
                }
                (record, None)
            }
            Latest::Forgotten(record) => {
                self.remove(record, batch);
                return Ok(());
            }
        };
        if self.head {
            batch.put(Keyspace::Tasks, key, records::task_head(record)?);
            batch.put(Keyspace::TasksByAgent, keys::by_agent(record.agent, id), Vec::new());
        }
        batch.put(Keyspace::TaskStates, key, records::task_status(record, cancel)?);
        for step in &self.steps {
            batch.put(Keyspace::Steps, keys::step(id, step.index), records::encode("a step", step)?);
        }
        Ok(())
    }

    fn remove(&self, record: &TaskRecord, batch: &mut Batch) {
        let key = *record.id.as_bytes();
        batch.delete(Keyspace::HotTasks, key);
        batch.delete(Keyspace::Tasks, key);
        batch.delete(Keyspace::TaskStates, key);
        batch.delete(Keyspace::TasksByAgent, keys::by_agent(record.agent, record.id));
        batch.delete(Keyspace::TasksByState, keys::by_state(record.state, record.id));
        batch.delete(Keyspace::TasksByEnd, keys::by_end(self.shard, record.updated_at, record.id));
        if !record.steps.is_empty() {
            batch.delete_range(Keyspace::Steps, KeyRange::prefix(&key));
        }
    }
}
