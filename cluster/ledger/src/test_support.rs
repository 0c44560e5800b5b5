//! A store in memory for the tests, and short ways to make commands.

use crate::{Cold, ColdError, EndedTask, HotTask, IdempotencyEntry, IdempotencyKey, Machine, Write};
use octopussy_core::agent::{AgentRecord, AgentSpec, AgentVersion, Desired, Usage, UsageWindow};
use octopussy_core::ids::{AgentId, BlobId, Epoch, MessageId, NodeId, PartyId, ShardId, TaskId, TraceId};
use octopussy_core::message::{KeyId, Keyring, Message, MessageDraft, MessageType, Payload, Priority, SigningKey};
use octopussy_core::task::{
    Applied, Command, LedgerEvent, NewTask, Outcome, Refusal, StepKind, StepOutcome, StepRecord, TaskRecord, TaskState,
};
use octopussy_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const START: u64 = 1_000 * HOUR;
pub(crate) const TTL: Duration = Duration::from_secs(300);
pub(crate) const NODE: NodeId = NodeId([1; 16]);

/// What a store would hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Memory {
    pub(crate) agents: BTreeMap<AgentId, Arc<AgentRecord>>,
    pub(crate) tasks: BTreeMap<TaskId, HotTask>,
    pub(crate) keys: BTreeMap<IdempotencyKey, IdempotencyEntry>,
    pub(crate) steps: BTreeMap<(TaskId, u32), Arc<StepRecord>>,
}

impl Memory {
    pub(crate) fn absorb(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Blueprint(_) | Write::Head(_) | Write::Revived(_) => {}
                Write::Agent(agent) => drop(self.agents.insert(agent.id, agent)),
                Write::AgentForgotten(agent) => drop(self.agents.remove(&agent).expect("it was there")),
                Write::Hot(task) => drop(self.tasks.insert(task.record.id, task)),
                Write::Ended(record) => drop(self.tasks.insert(record.id, HotTask { record, cancel: None })),
                Write::Forgotten(record) => {
                    self.tasks.remove(&record.id);
                    self.steps.retain(|(task, _), _| *task != record.id);
                }
                Write::Step(task, step) => {
                    let before = self.steps.insert((task, step.index), step);
                    assert!(before.is_none(), "a step is written once");
                }
                Write::Key(key, entry) => drop(self.keys.insert(key, entry)),
                Write::KeyForgotten(key, at) => {
                    let entry = self.keys.remove(&key).expect("a forgotten key was there");
                    assert_eq!(entry.at, at, "a key is forgotten under the moment it was written with");
                }
            }
        }
    }

    pub(crate) fn hot(&self) -> impl Iterator<Item = &HotTask> {
        self.tasks.values().filter(|task| !task.record.state.is_ended())
    }
}

impl Cold for Memory {
    fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ColdError> {
        Ok(self.tasks.get(&id).map(|task| Arc::clone(&task.record)))
    }

    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ColdError> {
        Ok(self.agents.get(&id).cloned())
    }

    fn idempotency(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyEntry>, ColdError> {
        Ok(self.keys.get(key).copied())
    }

    fn ended_before(&self, before: Timestamp, limit: usize) -> Result<Vec<EndedTask>, ColdError> {
        let records = self.tasks.values().map(|task| &task.record);
        let mut ended: Vec<_> = records
            .filter(|task| task.state.is_ended() && task.state != TaskState::DeadLettered && task.updated_at < before)
            .map(|task| EndedTask { at: task.updated_at, task: task.id })
            .collect();
        ended.sort_unstable();
        ended.truncate(limit);
        Ok(ended)
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<TaskId>, ColdError> {
        let dead = self.tasks.iter().filter(|(_, task)| task.record.state == TaskState::DeadLettered);
        Ok(dead.map(|(id, _)| *id).take(limit).collect())
    }

    fn keys_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(IdempotencyKey, IdempotencyEntry)>, ColdError> {
        let mut keys: Vec<_> =
            self.keys.iter().filter(|(_, entry)| entry.at < before).map(|(key, entry)| (key.clone(), *entry)).collect();
        keys.sort_by_key(|(_, entry)| entry.at);
        keys.truncate(limit);
        Ok(keys)
    }
}

/// A machine with its store.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) machine: Machine,
    pub(crate) memory: Memory,
    pub(crate) now: u64,
    pub(crate) events: Vec<LedgerEvent>,
}

pub(crate) type Result_ = Result<Applied, Refusal>;

impl Bench {
    /// A shard that is led, with one agent, `alice`.
    pub(crate) fn new() -> Self {
        let machine = Machine::new(ShardId(0));
        let mut bench = Self { machine, memory: Memory::default(), now: START, events: Vec::new() };
        bench.activate(Duration::from_secs(24 * 3_600)).unwrap();
        bench.apply(Command::CreateAgent { agent: Box::new(agent("alice")) }).unwrap();
        bench
    }

    pub(crate) fn apply(&mut self, command: Command) -> Result_ {
        let position = self.machine.record().position;
        let effects = self.machine.apply(command, &self.memory).unwrap();
        assert_eq!(self.machine.record().position, position + 1, "every command has a position of its own");
        if effects.result.is_err() {
            assert!(effects.writes.is_empty() && effects.events.is_empty(), "a refusal changes nothing");
        }
        self.memory.absorb(effects.writes);
        self.events = effects.events;
        effects.result
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.machine.epoch()
    }

    pub(crate) fn activate(&mut self, max_age: Duration) -> Result_ {
        self.activate_as(NODE, 1, false, max_age)
    }

    pub(crate) fn activate_as(&mut self, node: NodeId, boot: u64, gone: bool, max_age: Duration) -> Result_ {
        self.apply(Command::Activate { shard: ShardId(0), node, now: self.now(), max_age, boot, gone })
    }

    pub(crate) fn accept(&mut self, task: NewTask) -> Result_ {
        self.apply(Command::Accept { task: Box::new(task), now: self.now() })
    }

    pub(crate) fn accepted(&mut self, number: u128) -> TaskId {
        let task = new_task("alice", number, Priority::Normal, self.now);
        let id = task.id;
        self.accept(task).unwrap();
        id
    }

    pub(crate) fn begin(&mut self, task: TaskId) -> Result_ {
        let version = self.version_of(task);
        self.apply(Command::Begin { task, epoch: self.epoch(), version, now: self.now() })
    }

    pub(crate) fn step(&mut self, task: TaskId, index: u32, epoch: Epoch) -> Result_ {
        let step = step(index, epoch, self.now);
        self.apply(Command::Step { task, step: Arc::new(step), now: self.now() })
    }

    pub(crate) fn end(&mut self, task: TaskId, outcome: Outcome) -> Result_ {
        self.apply(Command::End { task, epoch: self.epoch(), outcome, memory: None, now: self.now() })
    }

    pub(crate) fn desire(&mut self, desired: Desired) -> Result_ {
        self.apply(Command::SetDesired { agent: alice(), desired, now: self.now() })
    }

    pub(crate) fn tick(&mut self) -> Result_ {
        self.apply(Command::Tick { shard: ShardId(0), now: self.now() })
    }

    pub(crate) fn task(&self, id: TaskId) -> Arc<TaskRecord> {
        self.machine.task(id, &self.memory).unwrap().unwrap()
    }

    /// The version that the task is to be begun with; the first one where that cannot be said.
    pub(crate) fn version_of(&self, id: TaskId) -> u32 {
        let task = self.machine.task(id, &self.memory).unwrap();
        let agent = task.as_ref().and_then(|task| self.memory.agents.get(&task.agent));
        task.zip(agent).map_or(1, |(task, agent)| task.version_to_run(agent))
    }

    /// Gives alice another version, with this persona.
    pub(crate) fn update(&mut self, from: u32, persona: &str) -> Result_ {
        let spec = AgentSpec { name: "alice".to_owned(), persona: persona.to_owned(), ..AgentSpec::default() };
        let version = Box::new(version(from + 1, persona));
        self.apply(Command::UpdateAgent { agent: alice(), from, spec: Arc::new(spec), version })
    }

    pub(crate) fn delete(&mut self, force: bool) -> Result_ {
        let reason = "its agent was deleted".into();
        self.apply(Command::DeleteAgent { agent: alice(), force, reason, now: self.now() })
    }

    pub(crate) fn state(&self, id: TaskId) -> TaskState {
        self.task(id).state
    }
}

pub(crate) fn alice() -> AgentId {
    AgentId::from_name("alice")
}

pub(crate) fn version(number: u32, text: &str) -> AgentVersion {
    AgentVersion {
        number,
        at: Timestamp::from_millis(START),
        by: "owner".into(),
        content: BlobId::of(text.as_bytes()),
        documents: Arc::new([]),
    }
}

pub(crate) fn agent(name: &str) -> AgentRecord {
    let spec = AgentSpec { name: name.to_owned(), ..AgentSpec::default() };
    AgentRecord {
        id: AgentId::from_name(name),
        spec: Arc::new(spec),
        documents: Arc::new([]),
        created_at: Timestamp::from_millis(START),
        desired: Desired::Active,
        usage: UsageWindow::default(),
        memory: None,
        tasks_ended: 0,
        versions: Arc::new([version(1, name)]),
    }
}

pub(crate) fn message(priority: Priority, at: u64) -> Arc<Message> {
    message_of(priority, at, "")
}

/// The same, with a text of its own.
pub(crate) fn message_of(priority: Priority, at: u64, text: &str) -> Arc<Message> {
    let keyring = Keyring::new(SigningKey::new(KeyId(1), [3; 32]));
    Arc::new(keyring.sign(MessageDraft {
        message_id: MessageId::from_uuid(Uuid::nil()),
        sender_id: PartyId::from_uuid(Uuid::nil()),
        recipient_id: PartyId::from_uuid(Uuid::nil()),
        message_type: MessageType::Task,
        payload: Payload::from_value(&serde_json::json!({ "text": text })).unwrap(),
        priority,
        trace_id: TraceId::from_uuid(Uuid::nil()),
        created_at: Timestamp::from_millis(at),
        ttl: TTL,
    }))
}

pub(crate) fn new_task(agent: &str, number: u128, priority: Priority, at: u64) -> NewTask {
    let agent = AgentId::from_name(agent);
    NewTask {
        id: TaskId::for_agent(agent, Uuid::from_u128(number << 32)),
        agent,
        sender: PartyId::from_uuid(Uuid::nil()),
        message: message(priority, at),
        idempotency: None,
        max_attempts: 3,
    }
}

pub(crate) fn step(index: u32, epoch: Epoch, now: u64) -> StepRecord {
    StepRecord {
        index,
        kind: StepKind::Model,
        name: "answer".into(),
        by: "".into(),
        attempt: 1,
        epoch,
        started_at: Timestamp::from_millis(now),
        ended_at: Timestamp::from_millis(now),
        outcome: StepOutcome::Done("yes".into()),
        usage: Usage { prompt_tokens: 3, completion_tokens: 2, cost_micros: 1 },
    }
}
