//! Agents that change and go.

use crate::test_support::*;
use octopussy_core::agent::{Desired, VERSIONS_KEPT};
use octopussy_core::message::Priority;
use octopussy_core::task::{Applied, Command, LedgerEvent, Outcome, Refusal, TaskState};

#[test]
fn what_waits_takes_the_new_version_and_what_runs_ends_on_the_old_one() {
    let mut bench = Bench::new();
    let (running, waiting) = (bench.accepted(1), bench.accepted(2));
    bench.begin(running).unwrap();
    bench.step(running, 0, bench.epoch()).unwrap();
    let Ok(Applied::Agent(agent)) = bench.update(1, "second") else { panic!("not updated") };
    assert_eq!((agent.version(), &*agent.spec.persona), (2, "second"));
    assert!(matches!(bench.events[..], [LedgerEvent::AgentChanged { .. }]));
    assert_eq!(bench.machine.hot_agent(alice()), Some(&agent), "the agent in memory has it, too");

    let old = Command::Begin { task: waiting, epoch: bench.epoch(), version: 1, now: bench.now() };
    assert_eq!(bench.apply(old), Err(Refusal::AgentChanged { agent: alice(), given: 1, current: 2 }));
    bench.begin(waiting).unwrap();
    assert_eq!(bench.task(waiting).agent_version, 2);

    // Handed back by a leadership that went, the first one has a journal of version 1 and goes on with that.
    bench.end(running, Outcome::HandedBack).unwrap();
    let new = Command::Begin { task: running, epoch: bench.epoch(), version: 2, now: bench.now() };
    assert_eq!(bench.apply(new), Err(Refusal::AgentChanged { agent: alice(), given: 2, current: 1 }));
    bench.begin(running).unwrap();
    assert_eq!(bench.task(running).agent_version, 1);
}

#[test]
fn a_task_without_a_journal_is_tried_again_with_the_new_version() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    bench.begin(task).unwrap();
    bench.update(1, "mended").unwrap();
    bench.end(task, Outcome::Retry("no such provider".into())).unwrap();
    bench.begin(task).unwrap();
    assert_eq!(bench.task(task).agent_version, 2);
}

#[test]
fn of_two_changes_at_once_one_counts_and_a_repeated_one_counts_once() {
    let mut bench = Bench::new();
    let first = bench.update(1, "mine");
    assert_eq!(bench.update(1, "mine"), first, "the same request again is the same answer");
    let lost = bench.update(1, "yours");
    assert_eq!(lost, Err(Refusal::AgentChanged { agent: alice(), given: 1, current: 2 }));
    assert_eq!(bench.memory.agents[&alice()].spec.persona, "mine");
    bench.desire(Desired::Stopped).unwrap();
    assert_eq!(bench.update(2, "late"), Err(Refusal::AgentStopped(alice())));
}

#[test]
fn the_history_is_bounded_and_a_journal_of_a_forgotten_version_goes_on_with_the_present_one() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    bench.begin(task).unwrap();
    bench.step(task, 0, bench.epoch()).unwrap();
    bench.end(task, Outcome::HandedBack).unwrap();
    for from in 1..=VERSIONS_KEPT as u32 {
        bench.update(from, &format!("after {from}")).unwrap();
    }
    let agent = bench.memory.agents[&alice()].clone();
    let numbers: Vec<_> = agent.versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, (2..=VERSIONS_KEPT as u32 + 1).collect::<Vec<_>>());
    assert_eq!(bench.task(task).version_to_run(&agent), VERSIONS_KEPT as u32 + 1);
    bench.begin(task).unwrap();
}

#[test]
fn a_busy_agent_is_not_deleted_by_accident_and_its_name_is_free_once_it_is() {
    let mut bench = Bench::new();
    let (done, running, waiting) = (bench.accepted(1), bench.accepted(2), bench.accepted(3));
    bench.begin(done).unwrap();
    bench.end(done, Outcome::Succeeded(message(Priority::Normal, START))).unwrap();
    bench.begin(running).unwrap();
    assert_eq!(bench.delete(false), Err(Refusal::AgentBusy { agent: alice(), tasks: 2 }));
    assert_eq!(bench.state(waiting), TaskState::Accepted);

    assert_eq!(bench.delete(true), Ok(Applied::Count(2)));
    assert_eq!((bench.state(running), bench.state(waiting)), (TaskState::Cancelled, TaskState::Cancelled));
    assert_eq!(bench.task(waiting).error.as_deref(), Some("its agent was deleted"));
    assert!(bench.events.iter().any(|event| matches!(event, LedgerEvent::AgentChanged { .. })), "its runs hear of it");
    assert_eq!(bench.state(done), TaskState::Succeeded, "what had ended stays to be read");
    let late = Outcome::Succeeded(message(Priority::Normal, START));
    assert_eq!(bench.end(running, late), Err(Refusal::TaskEnded(running)), "a run that is still there changes nothing");
    assert_eq!(bench.delete(true), Err(Refusal::UnknownAgent(alice())));
    assert_eq!(bench.accept(new_task("alice", 4, Priority::Normal, START)), Err(Refusal::UnknownAgent(alice())));

    bench.apply(Command::CreateAgent { agent: Box::new(agent("alice")) }).unwrap();
    let again = bench.accepted(5);
    bench.begin(again).unwrap();
}

#[test]
fn a_dead_letter_of_a_deleted_agent_can_be_discarded_but_not_replayed() {
    let mut bench = Bench::new();
    let task = bench.accepted(1);
    bench.desire(Desired::Stopped).unwrap();
    bench.delete(false).unwrap();
    let replay = Command::Replay { task, message: message(Priority::Normal, START), now: bench.now() };
    assert_eq!(bench.apply(replay), Err(Refusal::UnknownAgent(alice())));
    bench.apply(Command::Discard { task }).unwrap();
}
