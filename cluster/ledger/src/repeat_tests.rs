//! Commands that are repeated because their answers were lost.

use crate::test_support::*;
use octopussy_core::agent::Document;
use octopussy_core::ids::BlobId;
use octopussy_core::message::Priority;
use octopussy_core::task::{Applied, Command, Refusal};
use std::time::Duration;

#[test]
fn a_repeated_command_has_the_same_answer_and_changes_nothing() {
    let mut bench = Bench::new();
    let mut new = new_task("alice", 1, Priority::Normal, START);
    new.idempotency = Some(("key".into(), 7));
    let (accepted, begun) = (new.id, bench.accepted(2));
    let keyless = new_task("alice", 2, Priority::Normal, START);
    bench.accept(new.clone()).unwrap();
    bench.begin(begun).unwrap();
    bench.apply(Command::Cancel { task: accepted, reason: "enough".into(), now: bench.now() }).unwrap();
    let before = bench.memory.clone();
    for (repeated, id) in [(new, accepted), (keyless, begun)] {
        let task = bench.task(id);
        assert_eq!(bench.accept(repeated), Ok(Applied::Duplicate(task)));
    }
    let again = bench.apply(Command::Cancel { task: accepted, reason: "enough".into(), now: bench.now() });
    assert_eq!(again, Ok(Applied::Task(bench.task(accepted))));
    let created = bench.memory.agents[&alice()].clone();
    assert_eq!(created.tasks_ended, 1);
    let again = bench.apply(Command::CreateAgent { agent: Box::new(agent("alice")) });
    assert_eq!(again, Ok(Applied::Agent(created)), "as it now is");
    assert!(bench.events.is_empty());
    assert_eq!(bench.memory, before);
    let cancel = Command::Cancel { task: begun, reason: "enough".into(), now: bench.now() };
    bench.apply(cancel.clone()).unwrap();
    let before = bench.memory.clone();
    bench.apply(cancel).unwrap();
    assert_eq!(bench.memory, before);
}

#[test]
fn an_agent_exists_once() {
    let mut bench = Bench::new();
    let create = |bench: &mut Bench, agent| bench.apply(Command::CreateAgent { agent: Box::new(agent) });
    let refused = Err(Refusal::AgentExists("alice".to_owned()));
    let mut later = agent("alice");
    later.created_at = later.created_at.plus(Duration::from_millis(1));
    assert_eq!(create(&mut bench, later), refused);
    let mut other = agent("alice");
    other.documents = [Document { name: "notes".to_owned(), blob: BlobId([1; 32]), bytes: 1 }].into();
    assert_eq!(create(&mut bench, other), refused);
    let task = new_task("bob", 1, Priority::Normal, START);
    assert_eq!(bench.accept(task.clone()), Err(Refusal::UnknownAgent(task.agent)));
}
