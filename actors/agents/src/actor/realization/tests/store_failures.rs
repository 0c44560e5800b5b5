//! A log that is at its bound, full, or broken for a while: no task stays behind, none is done twice. Time is paused, so that
//! waiting for the disk costs none.

use super::fakes::*;
use super::ledger::{Fault, Kind};
use super::world::*;
use octopussy_core::agent::{AgentType, Pattern};
use octopussy_core::ids::ShardId;
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Command, Outcome, TaskState};
use octopussy_lifecycle::{Deadline, Running};
use std::time::Duration;

const KINDS: [Kind; 3] = [Kind::Begin, Kind::Step, Kind::End];

/// Each error, and whether the command may be in the log all the same.
fn errors() -> [(ProposeError, bool); 8] {
    let store = || ProposeError::Store("the log broke".into());
    [
        (ProposeError::NotLeader(ShardId(0)), false),
        (ProposeError::Uncertain(ShardId(0)), false),
        (ProposeError::Uncertain(ShardId(0)), true),
        (ProposeError::Busy, false),
        (ProposeError::DiskFull, false),
        (ProposeError::DiskFull, true),
        (store(), false),
        (store(), true),
    ]
}

fn fail(world: &World, of: Kind, error: &ProposeError, applied: bool) {
    world.ledger.state.lock().faults.push(Fault { of, error: error.clone(), applied });
}

/// What is in the task's journal.
fn names(world: &World, task: octopussy_core::ids::TaskId) -> Vec<String> {
    world.record(task).steps.iter().map(|step| step.name.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_run_gets_through_each_failure_of_the_log() {
    for kind in KINDS {
        for (error, applied) in errors() {
            let world = World::start().await;
            let agent = world.agent(|spec| spec.reasoning.pattern = Pattern::Reflection);
            fail(&world, kind, &error, applied);
            let task = world.task(agent, "x");
            let done = world.ends(task).await;
            let case = format!("{kind:?} {error} {applied}");
            assert_eq!((done.state, done.attempts), (TaskState::Succeeded, 1), "{case}");
            assert_eq!(names(&world, task), ["draft", "review", "revise"], "{case}");
            assert_eq!(world.model.asked.lock().len(), 3, "nothing is asked twice: {case}");
            assert!(world.ledger.state.lock().faults.is_empty(), "{case}");
            world.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leadership_that_is_not_certain_for_a_moment_ends_no_run() {
    for kind in KINDS {
        for reads in [1, 3] {
            let world = World::start().await;
            let agent = world.agent(|spec| spec.agent_type = AgentType::StatefulLoop);
            world.ends(world.task(agent, "first")).await;
            // What was refused because it is in the log already is looked up while nobody can say who leads.
            fail(&world, kind, &ProposeError::Uncertain(ShardId(0)), true);
            let task = world.task(agent, "second");
            until("the fault", || world.ledger.state.lock().faults.is_empty()).await;
            world.ledger.state.lock().uncertain_reads = reads;
            let done = world.ends(task).await;
            assert_eq!((done.state, done.attempts), (TaskState::Succeeded, 1), "{kind:?} {reads}");
            assert!(result_text(&done).contains("first"), "the conversation goes on");
            until("the run is over", || world.actor.active() == 0).await;
            world.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_by_a_lease_that_has_run_out() {
    let world = World::start().await;
    let agent = world.agent(|spec| spec.reasoning.pattern = Pattern::Reflection);
    // The first step is late, so that the lease runs out behind its call.
    fail(&world, Kind::Step, &ProposeError::Busy, false);
    let task = world.task(agent, "x");
    until("the first call", || world.model.asked.lock().len() == 1).await;
    world.ledger.state.lock().lapsed = true;
    until("the first step", || names(&world, task) == ["draft"]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.model.asked.lock().len(), 1, "it asks although somebody else may lead");
    world.ledger.state.lock().lapsed = false;
    assert_eq!(world.ends(task).await.state, TaskState::Succeeded, "the lease was renewed");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_the_disk_with_its_last_step() {
    for (error, applied) in errors() {
        let world = World::start().await;
        let agent = world.agent(|_| {});
        for kind in KINDS {
            fail(&world, kind, &error, applied && kind != Kind::End);
            fail(&world, kind, &error, false);
        }
        let task = world.task(agent, "x");
        let done = world.ends(task).await;
        assert_eq!((done.state, done.attempts), (TaskState::Succeeded, 1), "{error} {applied}");
        assert_eq!(names(&world, task), ["answer"], "{error} {applied}");
        assert_eq!(world.model.asked.lock().len(), 1);
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_goes_back_to_its_mailbox_once() {
    for (error, applied) in errors() {
        let world = World::start().await;
        let agent = world.agent(|_| {});
        world.mood(Mood::Unavailable);
        fail(&world, Kind::End, &error, applied);
        let done = world.ends(world.task(agent, "x")).await;
        assert_eq!((done.state, done.attempts), (TaskState::DeadLettered, 3), "{error} {applied}");
        assert_eq!(world.model.asked.lock().len(), 3, "{error} {applied}");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_stays_in_order_when_an_end_is_late() {
    let world = World::start().await;
    let agent = world.agent(|spec| spec.agent_type = AgentType::StatefulLoop);
    for _ in 0..3 {
        fail(&world, Kind::End, &ProposeError::DiskFull, false);
        fail(&world, Kind::Begin, &ProposeError::DiskFull, false);
    }
    let tasks: Vec<_> = (0..4).map(|number| world.task(agent, &format!("n{number}"))).collect();
    for (number, task) in tasks.iter().enumerate().skip(1) {
        let text = result_text(&*world.ends(*task).await);
        assert!(text.contains(&format!("n{}", number - 1)), "{text}");
    }
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopping_node_leaves_to_the_next_leadership_what_it_cannot_write() {
    let mut world = World::start().await;
    let agent = world.agent(|_| {});
    world.ledger.state.lock().faults =
        vec![Fault { of: Kind::End, error: ProposeError::DiskFull, applied: false }; 1_000];
    let task = world.task(agent, "x");
    let tried = || world.ledger.state.lock().faults.len() < 998;
    until("the end is proposed again and again", tried).await;
    world.running.stop(Deadline::after(Duration::from_secs(5))).await.expect("it does not wait for the disk");
    assert_eq!(world.record(task).state, TaskState::Running);
    let ended =
        world.ledger.state.lock().commands.iter().any(|command| {
            matches!(command, Command::End { outcome: Outcome::Succeeded(_) | Outcome::HandedBack, .. })
        });
    assert!(!ended);
    world.running.cleanup().await;
}

#[tokio::test(start_paused = true)]
async fn the_cost_of_a_last_step_that_was_lost_counts_once() {
    for (error, applied) in errors() {
        let world = World::start().await;
        let agent = world.agent(|_| {});
        fail(&world, Kind::Step, &error, applied);
        let task = world.task(agent, "x");
        let done = world.ends(task).await;
        assert_eq!(done.state, TaskState::Succeeded, "{error} {applied}");
        until("the run is over", || world.actor.active() == 0).await;
        let commands = world.ledger.state.lock().commands.clone();
        let counted = commands.iter().filter(|command| matches!(command, Command::RecordUsage { .. })).count();
        assert_eq!(counted + names(&world, task).len(), 1, "in the journal or beside it: {error} {applied}");
        world.stop().await;
    }
}
