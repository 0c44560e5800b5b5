//! The rules one by one.

use crate::test_support::*;
use crate::{IDEMPOTENCY_WINDOW, MAX_STEPS};
use octopussy_core::agent::{Desired, Period};
use octopussy_core::ids::{Epoch, NodeId};
use octopussy_core::message::Priority;
use octopussy_core::task::{
    Applied, Command, DeadLetterReason, LedgerEvent, MAILBOX_CAPACITY, MAX_CRASHES, Outcome, Refusal, TaskState,
};
use octopussy_core::time::{STANDS_STILL, Timestamp};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[test]
fn the_most_urgent_lane_comes_first_and_the_oldest_within_it() {
    let mut bench = Bench::new();
    let order =
        [Priority::Low, Priority::Normal, Priority::Critical, Priority::Normal, Priority::High, Priority::Critical];
    for (number, priority) in (1..).zip(order) {
        bench.accept(new_task("alice", number, priority, START)).unwrap();
    }
    let mut begun = Vec::new();
    while let Some(task) = bench.machine.next_task(alice()) {
        bench.begin(task).unwrap();
        begun.push(task.as_uuid().as_u128() >> 32);
    }
    assert_eq!(begun, [3, 6, 5, 2, 4, 1]);
    assert_eq!(bench.machine.waiting(alice()), 0);
}

#[test]
fn a_full_mailbox_refuses_and_has_room_again() {
    let mut bench = Bench::new();
    let first = bench.accepted(1);
    for number in 2..=MAILBOX_CAPACITY as u128 {
        bench.accepted(number);
    }
    let extra = new_task("alice", 5_000, Priority::Critical, START);
    let urgent = extra.id;
    let full = Refusal::MailboxFull { agent: alice(), capacity: MAILBOX_CAPACITY };
    assert_eq!(bench.accept(extra.clone()), Err(full));
    bench.begin(first).unwrap();
    bench.accept(extra).unwrap();
    bench.end(first, Outcome::HandedBack).unwrap();
    assert_eq!(bench.machine.next_task(alice()), Some(urgent));
    assert_eq!(bench.machine.waiting(alice()), MAILBOX_CAPACITY + 1, "a task handed back is never lost");
}

#[test]
fn a_key_accepts_once_within_its_window() {
    let mut bench = Bench::new();
    let with = |number, fingerprint| {
        let mut task = new_task("alice", number, Priority::Normal, START);
        task.idempotency = Some(("key".into(), fingerprint));
        task
    };
    let Ok(Applied::Task(first)) = bench.accept(with(1, 7)) else { panic!("not accepted") };
    assert_eq!(bench.accept(with(2, 7)), Ok(Applied::Duplicate(first.clone())));
    assert_eq!(bench.accept(with(3, 8)), Err(Refusal::IdempotencyConflict("key".into())));
    assert_eq!(bench.machine.hot_count(), 1);
    bench.begin(first.id).unwrap();
    bench.end(first.id, Outcome::Failed("no".into())).unwrap();
    let Ok(Applied::Duplicate(ended)) = bench.accept(with(4, 7)) else { panic!("not recognised") };
    assert_eq!((ended.id, ended.state), (first.id, TaskState::Failed));
    bench.now += u64::try_from(IDEMPOTENCY_WINDOW.as_millis()).unwrap() + 1;
    let Ok(Applied::Task(second)) = bench.accept(with(5, 9)) else { panic!("the window has passed") };
    assert_ne!(second.id, first.id);
    bench.now += u64::try_from(IDEMPOTENCY_WINDOW.as_millis()).unwrap() + 1;
    bench.tick().unwrap();
    assert!(bench.memory.keys.is_empty(), "old keys are dropped");
    let repeated = bench.accept(with(1, 10));
    assert!(matches!(repeated, Ok(Applied::Duplicate(_))), "the very same task is never accepted twice");
}

#[test]
fn only_the_present_epoch_may_change_a_task() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    let old = bench.epoch();
    bench.begin(task).unwrap();
    bench.step(task, 0, old).unwrap();
    bench.activate(DAY).unwrap();
    assert_eq!(bench.state(task), TaskState::Accepted);
    let current = bench.epoch();
    assert!(current > old);
    let stale = Err(Refusal::StaleEpoch { given: old, current });
    assert_eq!(bench.apply(Command::Begin { task, epoch: old, version: 1, now: bench.now() }), stale);
    assert_eq!(bench.step(task, 1, old), stale);
    let outcome = Outcome::Failed("late".into());
    assert_eq!(bench.apply(Command::End { task, epoch: old, outcome, memory: None, now: bench.now() }), stale);
    let Ok(Applied::Task(begun)) = bench.begin(task) else { panic!("not begun") };
    assert_eq!(
        (begun.attempts, begun.begun, begun.steps.len(), begun.epoch),
        (1, 2, 1, current),
        "the journal is kept"
    );
    assert_eq!(bench.step(task, 0, current), Err(Refusal::StepOutOfOrder { given: 0, expected: 1 }));
    bench.step(task, 1, current).unwrap();
    bench.end(task, Outcome::Succeeded(message(Priority::Normal, START))).unwrap();
    assert_eq!(bench.end(task, Outcome::Failed("again".into())), Err(Refusal::TaskEnded(task)));
    assert_eq!(bench.task(task).usage().tokens(), 10);
}

#[test]
fn attempts_are_used_up_and_hand_backs_do_not_count() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    for _ in 0..5 {
        bench.begin(task).unwrap();
        bench.end(task, Outcome::HandedBack).unwrap();
        bench.begin(task).unwrap();
        bench.end(task, Outcome::Postponed("come back in a minute".into())).unwrap();
    }
    assert_eq!(bench.task(task).attempts, 0);
    assert_eq!(bench.task(task).error.as_deref(), Some("come back in a minute"));
    for attempt in 1..=3 {
        bench.begin(task).unwrap();
        assert_eq!(bench.task(task).attempts, attempt);
        bench.end(task, Outcome::Retry("busy".into())).unwrap();
    }
    let dead = bench.task(task);
    assert_eq!((dead.state, dead.dead_letter), (TaskState::DeadLettered, Some(DeadLetterReason::AttemptsExhausted)));
    assert_eq!(dead.error.as_deref(), Some("busy"));
    assert_eq!(bench.machine.record().dead, 1);
}

#[test]
fn elections_and_moves_use_up_no_attempt() {
    let mut bench = Bench::new();
    let other = NodeId([2; 16]);
    let mut new = new_task("alice", 1, Priority::Normal, START);
    new.max_attempts = 1;
    let task = new.id;
    bench.accept(new).unwrap();
    for round in 1..=100 {
        bench.begin(task).unwrap();
        assert_eq!((bench.task(task).attempts, bench.task(task).begun), (1, round));
        // The same process leads again, or another that is told that the one before is still there.
        if round % 2 == 0 {
            bench.activate(DAY).unwrap()
        } else {
            bench.activate_as(other, 1, false, DAY).unwrap()
        };
        assert_eq!((bench.state(task), bench.task(task).attempts), (TaskState::Accepted, 0));
        if round % 2 == 1 {
            bench.activate(DAY).unwrap();
        }
    }
    bench.begin(task).unwrap();
    bench.end(task, Outcome::Retry("busy".into())).unwrap();
    assert_eq!(bench.task(task).dead_letter, Some(DeadLetterReason::AttemptsExhausted), "a failure does");
}

#[test]
fn a_task_whose_processes_keep_ending_under_it_is_set_aside_with_the_reason() {
    let mut bench = Bench::new();
    let (task, bystander) = (bench.accepted(1), bench.accepted(2));
    for crash in 1..=MAX_CRASHES {
        assert_eq!((bench.state(task), bench.task(task).crashes), (TaskState::Accepted, crash - 1));
        bench.begin(task).unwrap();
        // The same node in its next life, whatever is thought of the one before.
        bench.activate_as(NODE, 1 + u64::from(crash), crash % 2 == 0, DAY).unwrap();
    }
    let dead = bench.task(task);
    assert_eq!((dead.dead_letter, dead.attempts), (Some(DeadLetterReason::CrashSuspect), 1));
    assert!(dead.error.as_deref().unwrap().contains("ended 16 times"), "{:?}", dead.error);
    assert_eq!(
        (bench.state(bystander), bench.task(bystander).crashes),
        (TaskState::Accepted, 0),
        "one that did not run"
    );
    bench.begin(bystander).unwrap();
    bench.activate_as(NodeId([2; 16]), 1, true, DAY).unwrap();
    assert_eq!(bench.task(bystander).crashes, 1, "a node that is gone with the task may have been ended by it");
}

#[test]
fn old_work_is_not_recovered() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    bench.begin(task).unwrap();
    bench.now += HOUR;
    bench.activate(Duration::from_secs(60)).unwrap();
    assert_eq!(bench.task(task).dead_letter, Some(DeadLetterReason::TooOldToRecover));
    assert!(bench.events.iter().any(|event| matches!(event, LedgerEvent::TaskEnded { .. })));
}

#[test]
fn expired_work_is_not_begun() {
    let mut bench = Bench::new();
    let (waiting, late) = (bench.accepted(1), bench.accepted(2));
    bench.now += u64::try_from(TTL.as_millis()).unwrap();
    bench.tick().unwrap();
    assert_eq!(bench.state(waiting), TaskState::Accepted, "at its last moment it still counts");
    bench.now += 1;
    let Ok(Applied::Task(task)) = bench.begin(late) else { panic!("a begin of expired work answers with its end") };
    assert_eq!(task.dead_letter, Some(DeadLetterReason::Expired));
    assert_eq!(bench.tick(), Ok(Applied::Count(1)));
    assert_eq!(bench.task(waiting).dead_letter, Some(DeadLetterReason::Expired));
    assert_eq!(bench.machine.next_expiry(), None);
}

#[test]
fn time_stands_still_while_a_leader_is_a_little_behind() {
    let mut bench = Bench::new();
    let first = bench.accepted(1);
    bench.now -= u64::try_from(STANDS_STILL.as_millis()).unwrap();
    let second = bench.accepted(2);
    assert_eq!(bench.task(second).accepted_at, bench.task(first).accepted_at);
    bench.begin(first).unwrap();
    assert_eq!(bench.task(first).updated_at, Timestamp::from_millis(START));
}

#[test]
fn a_leader_that_once_was_years_ahead_does_not_expire_what_comes_after_it() {
    let mut bench = Bench::new();
    bench.now += 10 * 365 * 24 * HOUR;
    let (used, early) = (bench.accepted(1), bench.accepted(2));
    bench.now = START;
    bench.activate(DAY).unwrap();
    assert_eq!(bench.machine.record().now, Timestamp::from_millis(START), "the shard's time is right again");
    let later = bench.accepted(3);
    assert_eq!(bench.task(later).expires_at, Timestamp::from_millis(START).plus(TTL));
    bench.tick().unwrap();
    for task in [used, early, later] {
        let Ok(Applied::Task(begun)) = bench.begin(task) else { panic!("not begun") };
        assert_eq!(begun.state, TaskState::Running);
    }
    let with_key = |number| {
        let mut task = new_task("alice", number, Priority::Normal, START);
        task.idempotency = Some(("key".into(), 7));
        task
    };
    bench.accept(with_key(4)).unwrap();
    bench.now += HOUR;
    bench.tick().unwrap();
    assert!(matches!(bench.accept(with_key(5)), Ok(Applied::Duplicate(_))), "nor is the window of keys over");
}

#[test]
fn the_time_to_live_counts_from_the_acceptance_whatever_the_sender_s_clock_shows() {
    let mut bench = Bench::new();
    for (number, at) in [(1, START - HOUR), (2, START + HOUR)] {
        let new = new_task("alice", number, Priority::Normal, at);
        let id = new.id;
        bench.accept(new).unwrap();
        assert_eq!(bench.task(id).expires_at, Timestamp::from_millis(START).plus(TTL));
    }
}

#[test]
fn a_paused_agent_keeps_its_work_and_a_stopped_one_gives_it_up() {
    let mut bench = Bench::new();
    let (running, waiting) = (bench.accepted(1), bench.accepted(2));
    bench.begin(running).unwrap();
    bench.desire(Desired::Paused).unwrap();
    assert_eq!(bench.machine.next_task(alice()), None);
    assert_eq!(bench.machine.agents_with_work().count(), 0);
    assert_eq!(bench.begin(waiting), Err(Refusal::NotWaiting(waiting)));
    bench.accepted(3);
    assert!(bench.events.is_empty(), "a paused agent is not told of work");
    bench.desire(Desired::Active).unwrap();
    let ready = bench.events.iter().filter(|event| matches!(event, LedgerEvent::TaskReady { .. })).count();
    assert_eq!((ready, bench.machine.waiting(alice())), (2, 2));
    let Ok(Applied::Agent(stopped)) = bench.desire(Desired::Stopped) else { panic!("not stopped") };
    assert_eq!((stopped.desired, stopped.tasks_ended), (Desired::Stopped, 2));
    assert_eq!(bench.task(waiting).dead_letter, Some(DeadLetterReason::AgentStopped));
    assert_eq!(bench.state(running), TaskState::Running, "what runs may finish");
    bench.end(running, Outcome::HandedBack).unwrap();
    assert_eq!(bench.task(running).dead_letter, Some(DeadLetterReason::AgentStopped));
    assert_eq!(bench.desire(Desired::Active), Err(Refusal::AgentStopped(alice())));
    let task = new_task("alice", 9, Priority::Normal, START);
    assert_eq!(bench.accept(task), Err(Refusal::AgentStopped(alice())));
    assert_eq!(bench.memory.agents[&alice()].tasks_ended, 3);
}

#[test]
fn a_cancelled_task_stays_cancelled_whatever_its_run_does() {
    let mut bench = Bench::new();
    let cancel =
        |bench: &mut Bench, task| bench.apply(Command::Cancel { task, reason: "enough".into(), now: bench.now() });
    let (waiting, running, crashed) = (bench.accepted(1), bench.accepted(2), bench.accepted(3));
    cancel(&mut bench, waiting).unwrap();
    assert_eq!(bench.state(waiting), TaskState::Cancelled);
    bench.now += 1;
    assert!(matches!(cancel(&mut bench, waiting), Ok(Applied::Task(task)) if task.id == waiting), "asked again");
    bench.begin(running).unwrap();
    bench.begin(crashed).unwrap();
    cancel(&mut bench, running).unwrap();
    assert!(matches!(bench.events[..], [LedgerEvent::CancelRequested { .. }]));
    bench.end(running, Outcome::Retry("interrupted".into())).unwrap();
    assert_eq!(bench.state(running), TaskState::Cancelled);
    cancel(&mut bench, crashed).unwrap();
    bench.activate(DAY).unwrap();
    assert_eq!(bench.state(crashed), TaskState::Cancelled);
    assert_eq!(bench.machine.record().ended, 3);
}

#[test]
fn a_dead_letter_is_replayed_or_discarded() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    let replay = |bench: &mut Bench, task| {
        let message = message(Priority::High, bench.now);
        bench.apply(Command::Replay { task, message, now: bench.now() })
    };
    assert_eq!(replay(&mut bench, task), Err(Refusal::NotDeadLettered(task)));
    bench.begin(task).unwrap();
    bench.step(task, 0, bench.epoch()).unwrap();
    bench.end(task, Outcome::DeadLetter(DeadLetterReason::Quarantined, "odd".into())).unwrap();
    bench.now += HOUR;
    replay(&mut bench, task).unwrap();
    let again = bench.task(task);
    assert_eq!((again.attempts, again.priority, again.steps.len(), again.dead_letter), (0, Priority::High, 1, None));
    assert_eq!(bench.machine.record().dead, 0);
    bench.begin(task).unwrap();
    bench.end(task, Outcome::DeadLetter(DeadLetterReason::Quarantined, "odd".into())).unwrap();
    assert_eq!(bench.apply(Command::Discard { task }), Ok(Applied::Done));
    assert_eq!(bench.apply(Command::Discard { task }), Err(Refusal::UnknownTask(task)));
    assert!(bench.memory.tasks.is_empty() && bench.memory.steps.is_empty());
}

#[test]
fn history_is_forgotten_and_dead_letters_are_not() {
    let mut bench = Bench::new();
    let (done, dead, waiting) = (bench.accepted(1), bench.accepted(2), bench.accepted(3));
    bench.begin(done).unwrap();
    bench.end(done, Outcome::Failed("no".into())).unwrap();
    bench.begin(dead).unwrap();
    bench.end(dead, Outcome::DeadLetter(DeadLetterReason::Quarantined, "odd".into())).unwrap();
    let forget = |at| Command::Forget { shard: octopussy_core::ids::ShardId(0), before: Timestamp::from_millis(at) };
    bench.now += u64::try_from(IDEMPOTENCY_WINDOW.as_millis()).unwrap() + 1;
    bench.desire(Desired::Paused).unwrap();
    assert_eq!(bench.apply(forget(START)), Ok(Applied::Count(0)), "before is exclusive");
    assert_eq!(bench.apply(forget(START + 1)), Ok(Applied::Count(1)));
    assert_eq!(bench.begin(done), Err(Refusal::UnknownTask(done)));
    assert_eq!((bench.state(dead), bench.state(waiting)), (TaskState::DeadLettered, TaskState::Accepted));
    assert_eq!((bench.machine.record().ended, bench.machine.record().dead), (0, 1));
}

#[test]
fn a_result_and_its_key_outlive_their_window_whoever_asks_to_forget_them() {
    let mut bench = Bench::new();
    let with_key = |number| {
        let mut task = new_task("alice", number, Priority::Normal, START);
        task.idempotency = Some(("key".into(), 7));
        task
    };
    let first = with_key(1);
    bench.accept(first.clone()).unwrap();
    bench.begin(first.id).unwrap();
    bench.end(first.id, Outcome::Succeeded(message(Priority::Normal, START))).unwrap();
    let everything =
        Command::Forget { shard: octopussy_core::ids::ShardId(0), before: Timestamp::from_millis(u64::MAX) };
    for number in 2..24 {
        bench.now += HOUR;
        assert_eq!(bench.apply(everything.clone()), Ok(Applied::Count(0)));
        let Ok(Applied::Duplicate(known)) = bench.accept(with_key(number)) else { panic!("it is run again") };
        assert_eq!((known.id, known.result.is_some()), (first.id, true));
    }
    bench.now += 4 * HOUR;
    bench.tick().unwrap();
    assert_eq!(bench.apply(everything), Ok(Applied::Count(1)));
    assert!(bench.memory.tasks.is_empty());
}

#[test]
fn spending_is_counted_with_steps_and_without() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    bench.begin(task).unwrap();
    bench.step(task, 0, bench.epoch()).unwrap();
    let usage = octopussy_core::agent::Usage { prompt_tokens: 100, ..Default::default() };
    bench.apply(Command::RecordUsage { agent: alice(), usage, now: bench.now() }).unwrap();
    let memory: std::sync::Arc<str> = "noted".into();
    let command = Command::End {
        task,
        epoch: bench.epoch(),
        outcome: Outcome::Succeeded(message(Priority::Normal, START)),
        memory: Some(memory.clone()),
        now: bench.now(),
    };
    bench.apply(command).unwrap();
    let record = bench.memory.agents[&alice()].clone();
    assert_eq!(record.usage.spent(Period::Hour, bench.now()).tokens(), 105);
    assert_eq!((record.memory.clone(), record.tasks_ended), (Some(memory), 1));
    bench.apply(Command::ResetUsage { agent: alice() }).unwrap();
    assert_eq!(bench.memory.agents[&alice()].usage.spent(Period::Day, bench.now()).tokens(), 0);
}

#[test]
fn a_run_that_never_ends_is_stopped_by_its_journal() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    bench.begin(task).unwrap();
    let epoch: Epoch = bench.epoch();
    for index in 0..MAX_STEPS {
        bench.step(task, index, epoch).unwrap();
    }
    let refused = bench.step(task, MAX_STEPS, epoch);
    assert_eq!(refused, Err(Refusal::StepOutOfOrder { given: MAX_STEPS, expected: MAX_STEPS }));
}

#[test]
fn of_dead_letters_the_newest_are_kept() {
    let mut bench = Bench::new();
    let dead: Vec<_> = (1..=6)
        .map(|number| {
            let task = bench.accepted(number);
            bench.begin(task).unwrap();
            bench.now += 1_000;
            bench.end(task, Outcome::DeadLetter(DeadLetterReason::Quarantined, "odd".into())).unwrap();
            task
        })
        .collect();
    let forget = |before: u64, keep| Command::ForgetDead {
        shard: octopussy_core::ids::ShardId(0),
        before: Timestamp::from_millis(before),
        keep,
    };
    assert_eq!(bench.apply(forget(START, 4)), Ok(Applied::Count(0)), "their keys may still be repeated");
    bench.now += u64::try_from(IDEMPOTENCY_WINDOW.as_millis()).unwrap() + 10_000;
    let (shard, now) = (octopussy_core::ids::ShardId(0), Timestamp::from_millis(bench.now));
    bench.apply(Command::Tick { shard, now }).unwrap();
    assert_eq!(bench.apply(forget(START, 6)), Ok(Applied::Count(0)), "neither too many nor too old");
    assert_eq!(bench.apply(forget(START, 4)), Ok(Applied::Count(2)), "too many");
    assert_eq!(bench.apply(forget(START + 3_001, 4)), Ok(Applied::Count(1)), "too old");
    let left: Vec<_> = dead.iter().filter(|task| bench.memory.tasks.contains_key(task)).collect();
    assert_eq!(left, dead[3..].iter().collect::<Vec<_>>());
    assert_eq!(bench.machine.record().dead, 3);
}

#[test]
fn the_bytes_of_unended_work_are_counted_and_given_back() {
    let mut bench = Bench::new();
    assert_eq!(bench.machine.hot_bytes(), 0);
    let task = bench.accepted(1);
    let waiting = bench.machine.hot_bytes();
    assert!(waiting > 0);
    bench.begin(task).unwrap();
    assert_eq!(bench.machine.hot_bytes(), waiting);
    bench.step(task, 0, bench.epoch()).unwrap();
    assert!(bench.machine.hot_bytes() > waiting, "a journal takes room, too");
    bench.end(task, Outcome::Failed("no".into())).unwrap();
    assert_eq!(bench.machine.hot_bytes(), 0);
}
