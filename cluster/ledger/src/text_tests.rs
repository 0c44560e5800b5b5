//! Texts of waiting tasks: they lie in the store, and nothing is lost or half done for it.

use crate::test_support::*;
use crate::{
    Cold, ColdError, EndedTask, INLINE_TEXT, IdempotencyEntry, IdempotencyKey, MAILBOX_TEXT, Machine, SWEEP_TEXT,
};
use octopussy_core::agent::{AgentRecord, Desired};
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_core::message::Priority;
use octopussy_core::task::{Applied, Command, NewTask, Outcome, Refusal, TaskRecord, TaskState};
use octopussy_core::time::Timestamp;
use std::sync::Arc;

/// Near what a message may have.
const LONG: usize = 200 * 1024;

fn long_task(agent: &str, number: u128, bytes: usize) -> NewTask {
    let text = "x".repeat(bytes);
    NewTask { message: message_of(Priority::Normal, START, &text), ..new_task(agent, number, Priority::Normal, START) }
}

fn text_of(task: &TaskRecord) -> usize {
    task.message.payload().as_str().len()
}

#[test]
fn memory_does_not_grow_with_the_texts_of_waiting_tasks() {
    let mut bench = Bench::new();
    for number in 0..100 {
        bench.accept(long_task("alice", number, LONG)).unwrap();
    }
    assert!(bench.machine.hot_bytes() < 100 * 1_024, "{} bytes are in memory", bench.machine.hot_bytes());
    assert!(bench.machine.stored_bytes() > 100 * LONG as u64);
    let first = bench.machine.next_task(alice()).unwrap();
    assert_eq!(bench.machine.task_in_memory(first), None);
    // What runs is there as a whole, and goes back to the store when it is handed back.
    let Ok(Applied::Task(begun)) = bench.begin(first) else { panic!("not begun") };
    assert!(text_of(&begun) > LONG && bench.machine.hot_bytes() > LONG as u64);
    bench.end(first, Outcome::HandedBack).unwrap();
    assert!(bench.machine.hot_bytes() < 100 * 1_024);
    bench.begin(first).unwrap();
    bench.end(first, Outcome::Failed("no".into())).unwrap();
    assert!(text_of(&bench.task(first)) > LONG, "the text has gone");
}

#[test]
fn a_long_journal_goes_to_the_store_with_its_task() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    bench.begin(task).unwrap();
    for index in 0..=u32::try_from(INLINE_TEXT).unwrap() / 3 {
        if bench.step(task, index, bench.epoch()).is_err() {
            panic!("step {index}");
        }
    }
    let whole = bench.task(task);
    bench.end(task, Outcome::HandedBack).unwrap();
    assert_eq!((bench.machine.task_in_memory(task), bench.machine.stored_bytes() > INLINE_TEXT), (None, true));
    assert_eq!(bench.task(task).steps, whole.steps);
}

#[test]
fn one_agent_s_mailbox_takes_so_much_text_and_no_more() {
    let mut bench = Bench::new();
    let mut number = 0;
    let refused = loop {
        number += 1;
        match bench.accept(long_task("alice", number, LONG)) {
            Ok(_) => assert!(bench.machine.waiting_text(alice()) < MAILBOX_TEXT + 2 * LONG as u64),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refused, Refusal::MailboxTextFull { agent: alice(), limit: MAILBOX_TEXT });
    let first = bench.machine.next_task(alice()).unwrap();
    bench.begin(first).unwrap();
    bench.accept(long_task("alice", number, LONG)).unwrap();
    // Taken back beyond the bound, and not lost.
    bench.end(first, Outcome::HandedBack).unwrap();
    assert_eq!(bench.state(first), TaskState::Accepted);
}

#[test]
fn tasks_with_much_text_expire_in_several_commands() {
    let mut bench = Bench::new();
    let count = 2 * SWEEP_TEXT / LONG as u64;
    for number in 0..count {
        bench.accept(long_task("alice", u128::from(number), LONG)).unwrap();
    }
    bench.now += HOUR;
    let mut touched = Vec::new();
    while bench.machine.waiting(alice()) > 0 {
        let Ok(Applied::Count(expired)) = bench.tick() else { panic!("not ticked") };
        touched.push(expired);
    }
    assert!(touched.len() > 1 && touched.iter().all(|expired| (1..count).contains(expired)), "{touched:?}");
    assert_eq!(touched.iter().sum::<u64>(), count);
}

/// A store that cannot read tasks.
struct Unreadable<'a>(&'a Memory);

impl Cold for Unreadable<'_> {
    fn task(&self, _: TaskId) -> Result<Option<Arc<TaskRecord>>, ColdError> {
        Err(ColdError("the disk is gone".into()))
    }

    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ColdError> {
        self.0.agent(id)
    }

    fn idempotency(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyEntry>, ColdError> {
        self.0.idempotency(key)
    }

    fn ended_before(&self, before: Timestamp, limit: usize) -> Result<Vec<EndedTask>, ColdError> {
        self.0.ended_before(before, limit)
    }

    fn dead_letters(&self, limit: usize) -> Result<Vec<TaskId>, ColdError> {
        self.0.dead_letters(limit)
    }

    fn keys_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(IdempotencyKey, IdempotencyEntry)>, ColdError> {
        self.0.keys_before(before, limit)
    }
}

#[test]
fn a_command_whose_texts_cannot_be_read_changes_nothing() {
    let mut bench = Bench::new();
    // The first one is in memory: it must not be ended before the second one turns out to be unreadable.
    let short = bench.accepted(1);
    let long = long_task("alice", 2, LONG);
    let id = long.id;
    bench.accept(long).unwrap();
    let (epoch, version) = (bench.epoch(), bench.version_of(id));
    let (now, late) = (bench.now(), Timestamp::from_millis(START + HOUR));
    let reason: Arc<str> = "why".into();
    let before = bench.machine.clone();
    for command in [
        Command::Begin { task: id, epoch, version, now },
        Command::Cancel { task: id, reason: Arc::clone(&reason), now },
        Command::Tick { shard: ShardId(0), now: late },
        Command::SetDesired { agent: alice(), desired: Desired::Stopped, now },
        Command::DeleteAgent { agent: alice(), force: true, reason, now },
    ] {
        let failed = bench.machine.apply(command.clone(), &Unreadable(&bench.memory));
        assert!(failed.is_err(), "{command:?} went without its texts");
        assert_eq!(bench.machine, before, "{command:?}");
    }
    assert_eq!(bench.state(short), TaskState::Accepted);
}

#[test]
fn a_waiting_task_that_the_store_lacks_is_told() {
    let mut bench = Bench::new();
    let long = long_task("alice", 1, LONG);
    let id = long.id;
    bench.accept(long).unwrap();
    let hot = bench.memory.tasks.remove(&id).unwrap();
    assert!(bench.machine.task(id, &bench.memory).is_err(), "it is as if it had never been");
    let restored = Machine::restore(ShardId(0), *bench.machine.record(), [Ok(hot)], &bench.memory).unwrap();
    assert_eq!(restored, bench.machine);
}
