//! Random commands against what must hold after each of them.

use crate::test_support::*;
use crate::{HotTask, IDEMPOTENCY_WINDOW, Machine};
use octopussy_core::agent::{Desired, VERSIONS_KEPT};
use octopussy_core::ids::{AgentId, Epoch, ShardId, TaskId};
use octopussy_core::message::Priority;
use octopussy_core::task::{Applied, Command, DeadLetterReason, Outcome, TaskState};
use octopussy_core::time::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const NAMES: [&str; 2] = ["alice", "bob"];

/// By how much time may have gone back since a key was forgotten.
const SLACK: Duration = Duration::from_secs(60 * 60);

/// A command in outline; what depends on the present (epochs, indexes) is filled in when it is applied.
#[derive(Debug, Clone)]
enum Act {
    Accept { agent: usize, task: u128, priority: usize, key: Option<u8> },
    Begin { task: usize, stale: bool },
    Step { task: usize, stale: bool, off: u32 },
    End { task: usize, stale: bool, outcome: u8 },
    Cancel { task: usize },
    Replay { task: usize },
    Discard { task: usize },
    Desire { agent: usize, desired: u8 },
    Update { agent: usize, stale: bool },
    Delete { agent: usize, force: bool },
    Create { agent: usize },
    Activate { max_age_minutes: u64, boot: u64, gone: bool },
    Tick,
    Forget { hours: u64 },
    ForgetDead { hours: u64, keep: u64 },
    Pass { millis: i64 },
}

fn act() -> impl Strategy<Value = Act> {
    let task = 0..12_usize;
    prop_oneof![
        8 => (0..2_usize, 1..12_u128, 0..4_usize, proptest::option::of(0..3_u8))
            .prop_map(|(agent, task, priority, key)| Act::Accept { agent, task, priority, key }),
        8 => (task.clone(), proptest::bool::weighted(0.1)).prop_map(|(task, stale)| Act::Begin { task, stale }),
        6 => (task.clone(), proptest::bool::weighted(0.1), 0..2_u32)
            .prop_map(|(task, stale, off)| Act::Step { task, stale, off }),
        8 => (task.clone(), proptest::bool::weighted(0.1), 0..6_u8)
            .prop_map(|(task, stale, outcome)| Act::End { task, stale, outcome }),
        2 => task.clone().prop_map(|task| Act::Cancel { task }),
        2 => task.clone().prop_map(|task| Act::Replay { task }),
        1 => task.prop_map(|task| Act::Discard { task }),
        2 => (0..2_usize, 0..20_u8).prop_map(|(agent, desired)| Act::Desire { agent, desired }),
        2 => (0..2_usize, proptest::bool::weighted(0.1)).prop_map(|(agent, stale)| Act::Update { agent, stale }),
        1 => (0..2_usize, proptest::bool::ANY).prop_map(|(agent, force)| Act::Delete { agent, force }),
        2 => (0..2_usize).prop_map(|agent| Act::Create { agent }),
        2 => (0..120_u64, 0..3_u64, proptest::bool::ANY)
            .prop_map(|(max_age_minutes, boot, gone)| Act::Activate { max_age_minutes, boot, gone }),
        1 => Just(Act::Tick),
        1 => (0..30_u64).prop_map(|hours| Act::Forget { hours }),
        1 => (0..30_u64, 0..4_u64).prop_map(|(hours, keep)| Act::ForgetDead { hours, keep }),
        1 => Just(Act::Pass { millis: 13 * 3_600_000 }),
        3 => (-100_000..400_000_i64).prop_map(|millis| Act::Pass { millis }),
    ]
}

struct Model {
    bench: Bench,
    known: Vec<TaskId>,
    removable: BTreeSet<TaskId>,
    finished: BTreeMap<TaskId, TaskState>,
    keys: BTreeMap<(AgentId, u8), TaskId>,
    /// When the tasks with keys were accepted.
    accepted: BTreeMap<TaskId, Timestamp>,
    discarded: BTreeSet<TaskId>,
}

impl Model {
    fn new() -> Self {
        let mut bench = Bench::new();
        bench.apply(Command::CreateAgent { agent: Box::new(agent("bob")) }).unwrap();
        Self {
            bench,
            known: Vec::new(),
            removable: BTreeSet::new(),
            finished: BTreeMap::new(),
            keys: BTreeMap::new(),
            accepted: BTreeMap::new(),
            discarded: BTreeSet::new(),
        }
    }

    fn pick(&self, task: usize) -> TaskId {
        if self.known.is_empty() { TaskId::from_uuid(uuid::Uuid::nil()) } else { self.known[task % self.known.len()] }
    }

    fn epoch(&self, stale: bool) -> Epoch {
        let epoch = self.bench.epoch();
        if stale { Epoch(epoch.0 - 1) } else { epoch }
    }

    fn command(&self, act: &Act) -> Option<Command> {
        let now = self.bench.now();
        Some(match act {
            Act::Accept { agent, task, priority, key } => {
                let mut new = new_task(NAMES[*agent], *task, Priority::ALL[*priority], self.bench.now);
                if task % 3 == 0 {
                    new.message = message_of(Priority::ALL[*priority], self.bench.now, &"long ".repeat(1_000));
                }
                new.idempotency = key.map(|key| (key.to_string().into(), u64::from(key)));
                Command::Accept { task: Box::new(new), now }
            }
            Act::Begin { task, stale } => {
                let task = self.pick(*task);
                Command::Begin { task, epoch: self.epoch(*stale), version: self.bench.version_of(task), now }
            }
            Act::Step { task, stale, off } => {
                let task = self.pick(*task);
                let done = self.bench.memory.tasks.get(&task).map_or(0, |task| task.record.steps.len());
                let index = u32::try_from(done).unwrap() + off;
                Command::Step { task, step: Arc::new(step(index, self.epoch(*stale), self.bench.now)), now }
            }
            Act::End { task, stale, outcome } => {
                let outcome = match outcome {
                    0 => Outcome::Succeeded(message(Priority::Normal, self.bench.now)),
                    1 => Outcome::Failed("failed".into()),
                    2 => Outcome::Retry("retry".into()),
                    3 => Outcome::Cancelled("cancelled".into()),
                    4 => Outcome::DeadLetter(DeadLetterReason::Quarantined, "odd".into()),
                    _ => Outcome::HandedBack,
                };
                Command::End { task: self.pick(*task), epoch: self.epoch(*stale), outcome, memory: None, now }
            }
            Act::Cancel { task } => Command::Cancel { task: self.pick(*task), reason: "enough".into(), now },
            Act::Replay { task } => {
                Command::Replay { task: self.pick(*task), message: message(Priority::Normal, self.bench.now), now }
            }
            Act::Discard { task } => Command::Discard { task: self.pick(*task) },
            Act::Desire { agent, desired } => {
                let desired = match desired {
                    0 => Desired::Stopped,
                    1..8 => Desired::Paused,
                    _ => Desired::Active,
                };
                Command::SetDesired { agent: AgentId::from_name(NAMES[*agent]), desired, now }
            }
            Act::Update { agent: name, stale } => {
                let record = self.bench.memory.agents.get(&AgentId::from_name(NAMES[*name]))?;
                let from = if *stale { record.version() + 1 } else { record.version() };
                let mut spec = (*record.spec).clone();
                spec.persona = format!("version {from}");
                let version = Box::new(version(from + 1, &spec.persona));
                Command::UpdateAgent { agent: record.id, from, spec: Arc::new(spec), version }
            }
            Act::Delete { agent, force } => Command::DeleteAgent {
                agent: AgentId::from_name(NAMES[*agent]),
                force: *force,
                reason: "deleted".into(),
                now,
            },
            Act::Create { agent: name } => Command::CreateAgent { agent: Box::new(agent(NAMES[*name])) },
            Act::Activate { max_age_minutes, boot, gone } => Command::Activate {
                shard: ShardId(0),
                node: NODE,
                now,
                max_age: Duration::from_secs(60 * max_age_minutes),
                boot: *boot,
                gone: *gone,
            },
            Act::Tick => Command::Tick { shard: ShardId(0), now },
            Act::Forget { hours } => {
                Command::Forget { shard: ShardId(0), before: Timestamp::from_millis(self.bench.now - hours * HOUR) }
            }
            Act::ForgetDead { hours, keep } => Command::ForgetDead {
                shard: ShardId(0),
                before: Timestamp::from_millis(self.bench.now - hours * HOUR),
                keep: *keep,
            },
            Act::Pass { .. } => return None,
        })
    }

    /// Applies the act, then a second machine the same; checks what must hold.
    fn perform(&mut self, act: &Act) {
        if let Act::Pass { millis } = act {
            self.bench.now = self.bench.now.saturating_add_signed(*millis);
        }
        let Some(command) = self.command(act) else { return };
        let mut twin = self.bench.clone();
        let result = self.bench.apply(command.clone());
        assert_eq!(twin.apply(command.clone()), result, "the same command has the same answer");
        assert_eq!(twin.machine, self.bench.machine, "and the same outcome");
        self.note(act, &command, &result);
        self.check();
    }

    fn note(&mut self, act: &Act, command: &Command, result: &Result_) {
        let stale = matches!(
            act,
            Act::Begin { stale: true, .. } | Act::Step { stale: true, .. } | Act::End { stale: true, .. }
        );
        assert!(!(stale && result.is_ok()), "a stale epoch changed something: {act:?}");
        match (command, result) {
            (Command::Accept { task, .. }, Ok(Applied::Task(record))) => {
                assert!(!self.known.contains(&record.id) || self.removable.contains(&record.id), "accepted twice");
                self.known.push(record.id);
                self.removable.remove(&record.id);
                self.discarded.remove(&record.id);
                self.finished.remove(&record.id);
                // An id that comes again after it was forgotten (checked above) is a new task, without its old key.
                self.keys.retain(|_, task| *task != record.id);
                if let Some((_, key)) = &task.idempotency {
                    let key = (task.agent, u8::try_from(*key).unwrap());
                    let before = self.keys.insert(key, record.id);
                    let window = IDEMPOTENCY_WINDOW;
                    let over = |id: &TaskId| {
                        self.accepted.get(id).is_none_or(|at| record.accepted_at.since(*at) + SLACK > window)
                    };
                    let gone = before.is_none_or(|before| self.discarded.contains(&before) || over(&before));
                    assert!(gone, "a key accepted two tasks");
                    self.accepted.insert(record.id, record.accepted_at);
                }
            }
            (Command::Discard { task }, Ok(_)) => {
                self.removable.insert(*task);
                self.discarded.insert(*task);
            }
            (Command::Replay { task, .. }, Ok(_)) => drop(self.finished.remove(task)),
            (Command::ForgetDead { keep, .. }, Ok(_)) => {
                for task in &self.known {
                    let dead = self.finished.get(task) == Some(&TaskState::DeadLettered);
                    if dead && !self.bench.memory.tasks.contains_key(task) {
                        self.removable.insert(*task);
                    }
                }
                let window = self.bench.machine.record().now.minus(IDEMPOTENCY_WINDOW);
                let dead = |task: &&HotTask| task.record.state == TaskState::DeadLettered;
                let young = self.bench.memory.tasks.values().filter(dead).any(|task| task.record.updated_at >= window);
                assert!(young || self.bench.machine.record().dead <= *keep, "more dead letters are kept than may be");
            }
            (Command::Forget { before, .. }, Ok(_)) => {
                for task in &self.known {
                    let old = self.finished.get(task).is_some_and(|state| *state != TaskState::DeadLettered);
                    if old && !self.bench.memory.tasks.contains_key(task) {
                        self.removable.insert(*task);
                    }
                }
                let kept = self.bench.memory.tasks.values().filter(|task| task.record.state.is_ended());
                let mut kept = kept.filter(|task| task.record.state != TaskState::DeadLettered);
                let before = (*before).min(self.bench.machine.record().now.minus(IDEMPOTENCY_WINDOW));
                assert!(kept.all(|task| task.record.updated_at >= before), "history was left over");
            }
            _ => {}
        }
    }

    fn check(&mut self) {
        let Bench { machine, memory, .. } = &self.bench;
        for id in &self.known {
            assert!(memory.tasks.contains_key(id) || self.removable.contains(id), "task {id} has vanished");
        }
        for (id, task) in &memory.tasks {
            let record = &task.record;
            if let Some(before) = self.finished.get(id) {
                assert_eq!(record.state, *before, "an ended task has changed");
            } else if record.state.is_ended() {
                self.finished.insert(*id, record.state);
            }
            let steps: Vec<_> = memory.steps.range((*id, 0)..=(*id, u32::MAX)).map(|(_, step)| step.clone()).collect();
            assert_eq!(record.steps, steps, "the journal is whole");
            assert_eq!(machine.task(*id, memory).unwrap().as_ref(), Some(record), "it is read as it is");
            assert!(record.attempts <= record.max_attempts, "begun too often");
            assert_eq!(record.result.is_some(), record.state == TaskState::Succeeded, "a result belongs to success");
        }
        let ended = memory.tasks.values().filter(|task| task.record.state.is_ended());
        let (dead, done): (Vec<_>, Vec<_>) = ended.partition(|task| task.record.state == TaskState::DeadLettered);
        assert_eq!((machine.record().dead, machine.record().ended), (dead.len() as u64, done.len() as u64));
        for name in NAMES {
            let id = AgentId::from_name(name);
            let waiting =
                || memory.hot().filter(|task| task.record.agent == id && task.record.state == TaskState::Accepted);
            assert_eq!(machine.waiting(id), waiting().count());
            let Some(agent) = memory.agents.get(&id) else {
                assert!(memory.hot().all(|task| task.record.agent != id), "a task outlives its agent unended");
                continue;
            };
            assert!(agent.versions.len() <= VERSIONS_KEPT, "the history is bounded");
            let active = agent.desired == Desired::Active;
            let mut queue: Vec<_> = waiting().filter(|_| active).map(|task| &task.record).collect();
            queue.sort_unstable_by_key(|task| (task.priority, task.sequence));
            assert_eq!(machine.next_task(id), queue.first().map(|task| task.id));
            for limit in [0, 2, usize::MAX] {
                let next: Vec<_> = machine.next_tasks(id, limit).collect();
                let expected: Vec<_> = queue.iter().map(|task| task.id).take(limit).collect();
                assert_eq!(next, expected, "the order of the mailbox");
            }
        }
        let restored = Machine::restore(ShardId(0), *machine.record(), memory.hot().cloned().map(Ok), memory).unwrap();
        assert_eq!(restored, *machine, "what is stored is what is in memory");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_ledger_keeps_its_promises(acts in proptest::collection::vec(act(), 1..120)) {
        let mut model = Model::new();
        acts.iter().for_each(|act| model.perform(act));
    }
}
