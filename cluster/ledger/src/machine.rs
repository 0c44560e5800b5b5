//! The state machine of one shard: what it keeps in memory, and the one way in.

use crate::mailbox::Mailbox;
use crate::unended::Unended;
use crate::{Cold, ColdError, Effects, Write};
use octopussy_core::agent::{AgentRecord, Desired};
use octopussy_core::ids::{AgentId, Epoch, ShardId, TaskId};
use octopussy_core::ports::Incarnation;
use octopussy_core::task::{Applied, Command, Refusal, TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a shard keeps of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShardRecord {
    /// The present fence.
    pub epoch: Epoch,
    /// Who holds it, in which life.
    pub leader: Option<Incarnation>,
    /// The time of the last command that named one, see [`Timestamp::then`].
    pub now: Timestamp,
    /// How many ended tasks it keeps, dead letters aside.
    pub ended: u64,
    /// How many dead letters it keeps.
    pub dead: u64,
    /// How many commands have been applied, refused ones included: the position of the last one.
    pub position: u64,
}

/// A task that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotTask {
    /// As far as it has come.
    pub record: Arc<TaskRecord>,
    /// Why it is to be cancelled, when somebody asked for that while it was running.
    pub cancel: Option<Arc<str>>,
}

/// An agent that has tasks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HotAgent {
    pub(crate) record: Arc<AgentRecord>,
    pub(crate) mailbox: Mailbox,
    /// Those that wait and those that run.
    pub(crate) tasks: BTreeSet<TaskId>,
}

/// The state machine of one shard. Two of them that applied the same commands in the same order are equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    pub(crate) shard: ShardId,
    pub(crate) record: ShardRecord,
    /// By id, so that pages of them begin anywhere.
    pub(crate) tasks: BTreeMap<TaskId, Unended>,
    /// Those of them that run.
    pub(crate) running: BTreeSet<TaskId>,
    pub(crate) agents: HashMap<AgentId, HotAgent>,
    /// Waiting tasks by the moment they expire.
    pub(crate) expiries: BTreeSet<(Timestamp, TaskId)>,
    /// Roughly how many bytes the tasks take in memory.
    pub(crate) bytes: u64,
    /// How many bytes of texts of waiting tasks only the store has.
    pub(crate) stored: u64,
}

/// What a handler says: an answer, a refusal that changed nothing, or that the store could not be read.
pub(crate) enum Stop {
    Refused(Refusal),
    Cold(ColdError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ColdError> for Stop {
    fn from(error: ColdError) -> Self {
        Self::Cold(error)
    }
}

pub(crate) type Handled = Result<Applied, Stop>;

impl Machine {
    /// A shard without agents and tasks.
    #[must_use]
    pub fn new(shard: ShardId) -> Self {
        Self {
            shard,
            record: ShardRecord::default(),
            tasks: BTreeMap::new(),
            running: BTreeSet::new(),
            agents: HashMap::new(),
            expiries: BTreeSet::new(),
            bytes: 0,
            stored: 0,
        }
    }

    /// The shard as it was stored: its own record and its tasks that had not ended, one by one, since all of them need not fit
    /// into memory.
    ///
    /// # Errors
    /// [`ColdError`] when one of the tasks or its agent cannot be read.
    pub fn restore(
        shard: ShardId,
        record: ShardRecord,
        tasks: impl IntoIterator<Item = Result<HotTask, ColdError>>,
        cold: &impl Cold,
    ) -> Result<Self, ColdError> {
        let mut machine = Self { record, ..Self::new(shard) };
        for task in tasks {
            let task = task?;
            let agent = machine
                .find_agent(task.record.agent, cold)?
                .ok_or_else(|| ColdError(format!("task {} names an agent that is missing", task.record.id).into()))?;
            machine.keep_hot(agent, task);
        }
        Ok(machine)
    }

    /// What the shard keeps of itself.
    #[must_use]
    pub const fn record(&self) -> &ShardRecord {
        &self.record
    }

    /// Applies the next command. Its position, by which epochs and the order of acceptance are named, is one more than that
    /// of the command before: entries of the log carry many commands, so that an index of the log would not tell them apart.
    ///
    /// # Errors
    /// [`ColdError`] when the store could not be read; nothing changed, and the same command may be applied again.
    pub fn apply(&mut self, command: Command, cold: &impl Cold) -> Result<Effects, ColdError> {
        let mut effects = Effects::default();
        let position = self.record.position + 1;
        let handled = self.handle(position, command, cold, &mut effects);
        effects.result = match handled {
            Ok(applied) => Ok(applied),
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Cold(error)) => return Err(error),
        };
        self.record.position = position;
        Ok(effects)
    }

    fn handle(&mut self, position: u64, command: Command, cold: &impl Cold, effects: &mut Effects) -> Handled {
        match command {
            Command::Activate { shard: _, node, now, max_age, boot, gone } => {
                let now = self.advance(now);
                let leader = Incarnation { node, boot };
                Ok(self.activate(Epoch(position), leader, gone, now, max_age, effects))
            }
            Command::CreateAgent { agent } => self.create_agent(*agent, cold, effects),
            Command::SetDesired { agent, desired, now } => self.set_desired(agent, desired, now, cold, effects),
            Command::Accept { task, now } => self.accept(position, *task, now, cold, effects),
            Command::Begin { task, epoch, version, now } => self.begin(task, epoch, version, now, cold, effects),
            Command::Step { task, step, now } => self.step(task, step, now, cold, effects),
            Command::End { task, epoch, outcome, memory, now } => {
                self.end(task, epoch, outcome, memory, now, cold, effects)
            }
            Command::Cancel { task, reason, now } => self.cancel(task, reason, now, cold, effects),
            Command::Replay { task, message, now } => self.replay(position, task, message, now, cold, effects),
            Command::Discard { task } => self.discard(task, cold, effects),
            Command::Tick { shard: _, now } => self.tick(now, cold, effects),
            Command::Forget { shard: _, before } => self.forget(before, cold, effects),
            Command::ForgetDead { shard: _, before, keep } => self.forget_dead(before, keep, cold, effects),
            Command::RecordUsage { agent, usage, now } => self.record_usage(agent, usage, now, cold, effects),
            Command::ResetUsage { agent } => self.reset_usage(agent, cold, effects),
            Command::UpdateAgent { agent, from, spec, version } => {
                self.update_agent(agent, from, spec, *version, cold, effects)
            }
            Command::DeleteAgent { agent, force, reason, now } => {
                self.delete_agent(agent, force, &reason, now, cold, effects)
            }
        }
    }

    /// The moment to work with when the leader says that it is `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        self.record.now.then(now)
    }

    /// The same, which is the present moment from here on.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Timestamp {
        self.record.now = self.at(now);
        self.record.now
    }

    /// The agent, from memory or from the store.
    pub(crate) fn find_agent(&self, id: AgentId, cold: &impl Cold) -> Result<Option<Arc<AgentRecord>>, ColdError> {
        match self.agents.get(&id) {
            Some(agent) => Ok(Some(Arc::clone(&agent.record))),
            None => cold.agent(id),
        }
    }

    /// Why a task that is not in memory cannot be changed.
    pub(crate) fn not_hot(id: TaskId, cold: &impl Cold) -> Stop {
        match cold.task(id) {
            Ok(Some(_)) => Refusal::TaskEnded(id).into(),
            Ok(None) => Refusal::UnknownTask(id).into(),
            Err(error) => error.into(),
        }
    }

    /// Puts a task into memory, waiting or running as its state says, and its agent with it.
    pub(crate) fn keep_hot(&mut self, agent: Arc<AgentRecord>, task: HotTask) {
        let id = task.record.id;
        let task = Unended::of(task);
        let place = task.place();
        let hot = self.agents.entry(place.agent).or_insert_with(|| HotAgent {
            record: agent,
            mailbox: Mailbox::default(),
            tasks: BTreeSet::new(),
        });
        if task.state() == TaskState::Running {
            self.running.insert(id);
        } else {
            hot.mailbox.insert(id, &place);
            self.expiries.insert((place.expires_at, id));
        }
        hot.tasks.insert(id);
        self.bytes += task.memory();
        self.stored += task.stored();
        self.tasks.insert(id, task);
    }

    /// Takes a task out of memory, and its agent when that was its last. Answers with the agent.
    pub(crate) fn take_hot(&mut self, id: TaskId) -> Option<Arc<AgentRecord>> {
        let task = self.tasks.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(task.memory());
        self.stored = self.stored.saturating_sub(task.stored());
        let place = task.place();
        let hot = self.agents.get_mut(&place.agent)?;
        if task.state() == TaskState::Running {
            self.running.remove(&id);
        } else {
            hot.mailbox.remove(&place);
            self.expiries.remove(&(place.expires_at, id));
        }
        hot.tasks.remove(&id);
        let record = Arc::clone(&hot.record);
        if hot.tasks.is_empty() {
            self.agents.remove(&place.agent);
        }
        Some(record)
    }

    /// Sets an agent's record, in memory when it is there, and for the store in any case.
    pub(crate) fn put_agent(&mut self, agent: &Arc<AgentRecord>, effects: &mut Effects) {
        if let Some(hot) = self.agents.get_mut(&agent.id) {
            hot.record = Arc::clone(agent);
        }
        effects.writes.push(Write::Agent(Arc::clone(agent)));
    }

    /// Whether the agent may be told of work.
    pub(crate) fn takes_work(agent: &AgentRecord) -> bool {
        agent.desired == Desired::Active
    }
}
