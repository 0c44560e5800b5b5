//! Whoever commands an agent is obeyed at once, whatever its runs wait for.

use super::fakes::*;
use super::ledger::EPOCH;
use super::world::*;
use crate::actor::ActorConfig;
use crate::actor::realization::Host;
use crate::actor::realization::run_control::Interrupt;
use octopussy_core::agent::{AgentState, AgentType, Desired, Pattern};
use octopussy_core::ids::ShardId;
use octopussy_core::message::{KeyId, Keyring, MessageType, Payload, SigningKey};
use octopussy_core::ports::{ControlCommand, LedShardsPort};
use octopussy_core::problem::Code;
use octopussy_core::task::{Command, DeadLetterReason, LedgerEvent, Outcome, TaskState};
use octopussy_lifecycle::{Deadline, Running};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn pause_acts_while_the_model_hangs_and_resume_takes_the_task_up_again() {
    let world = World::start().await;
    let agent = world.agent(|_| {});
    world.mood(Mood::Hang);
    let task = world.task(agent, "x");
    world.hangs(Mood::Hang).await;
    world.actor.pause(agent).await.expect("paused");
    assert_eq!(world.actor.state(agent), Some(AgentState::Paused));
    assert_eq!(world.model.running.load(Ordering::SeqCst), 0, "the call is cancelled");
    let handed_back = world.record(task);
    assert_eq!((handed_back.state, handed_back.attempts), (TaskState::Accepted, 0), "handed back, not counted");
    world.mood(Mood::Answer);
    assert_eq!(world.model.asked.lock().len(), 1, "nothing is begun while it is paused");
    world.actor.resume(agent).await.expect("resumed");
    assert_eq!(world.ends(task).await.state, TaskState::Succeeded);
    world.stop().await;
}

#[tokio::test]
async fn cancel_and_stop_act_while_the_model_hangs() {
    let world = World::start().await;
    let agent = world.agent(|spec| spec.agent_type = AgentType::StatefulLoop);
    world.mood(Mood::Hang);
    let (first, second, third) = (world.task(agent, "1"), world.task(agent, "2"), world.task(agent, "3"));
    world.hangs(Mood::Hang).await;
    world.actor.cancel(agent, first).await.expect("cancelled");
    assert_eq!(world.ends(first).await.state, TaskState::Cancelled);
    until("the second is begun", || world.record(second).state == TaskState::Running).await;
    assert_eq!(world.record(third).state, TaskState::Accepted, "a stateful agent does one after the other");
    world.hangs(Mood::Hang).await;
    world.actor.stop(agent).await.expect("stopped");
    assert_eq!(world.ends(second).await.state, TaskState::Cancelled);
    assert_eq!(world.ends(third).await.dead_letter, Some(DeadLetterReason::AgentStopped));
    until("it is gone", || world.actor.active() == 0).await;
    assert_eq!(world.states(agent).last(), Some(&AgentState::Stopped));
    world.stop().await;
}

#[tokio::test]
async fn a_shard_that_is_to_move_lets_its_calls_finish_and_begins_nothing() {
    let world = World::start().await;
    let agent = world.agent(|spec| spec.reasoning.pattern = Pattern::Reflection);
    let once = world.named("once", |_| {});
    world.mood(Mood::Ponder);
    let (long, short) = (world.task(agent, "long"), world.task(once, "short"));
    until("both are asked", || world.model.asked.lock().len() == 2).await;
    world.ledger.tell_yielding(true);
    let later = world.task(once, "later");
    world.mood(Mood::Answer);
    assert_eq!(world.ends(short).await.state, TaskState::Succeeded, "a call that was under way is not cut off");
    until("the long one is handed back", || world.record(long).state == TaskState::Accepted).await;
    let handed_back = world.record(long);
    assert_eq!((handed_back.attempts, handed_back.steps.len()), (0, 1), "at a step boundary, with what was paid for");
    assert_eq!(world.record(later).state, TaskState::Accepted);
    assert_eq!(world.model.asked.lock().len(), 2, "nothing new is begun");
    world.ledger.tell_yielding(false);
    for task in [long, later] {
        let done = world.ends(task).await;
        assert_eq!((done.state, done.attempts), (TaskState::Succeeded, 1));
    }
    assert_eq!(world.model.asked.lock().iter().filter(|asked| asked.contains("later")).count(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_lost_leadership_silences_the_agent() {
    let world = World::start().await;
    let agent = world.agent(|_| {});
    world.mood(Mood::Hang);
    let task = world.task(agent, "x");
    world.hangs(Mood::Hang).await;
    let before = world.ledger.state.lock().commands.len();
    world.ledger.lose(ShardId(0));
    until("the call is cancelled", || world.model.running.load(Ordering::SeqCst) == 0).await;
    assert_eq!(world.actor.active(), 0);
    world.ledger.state.lock().lost = false;
    world.mood(Mood::Answer);
    world.ledger.tell(&LedgerEvent::LeaderGained { shard: ShardId(0), epoch: EPOCH });
    let other = world.task(agent, "y");
    world.ends(other).await;
    let commands = world.ledger.state.lock().commands[before..].to_vec();
    let spoke = commands.iter().any(|command| matches!(command, Command::End { task: of, .. } if *of == task));
    assert!(!spoke, "the fenced run says nothing");
    world.stop().await;
}

#[tokio::test]
async fn control_messages_are_verified_and_count_once() {
    let world = World::start().await;
    let agent = world.agent(|_| {});
    let host = world.messaging.host.lock().clone().expect("attached");
    let pause = control(agent, ControlCommand::Pause);
    host.control(pause.clone()).await.expect("carried out");
    let desired = || LedShardsPort::agent(&*world.ledger, agent).expect("readable").expect("known").desired;
    assert_eq!(desired(), Desired::Paused);
    let again = host.control(pause).await.expect_err("a replay");
    assert_eq!(again.code, Code::Forbidden);
    let foreign = Keyring::new(SigningKey::new(KeyId(1), [1; 32]));
    let forged =
        foreign.sign(draft(agent, MessageType::Control, Payload::from_value(&ControlCommand::Stop).expect("fits")));
    assert!(host.control(forged).await.is_err());
    assert_eq!(desired(), Desired::Paused);
    // Through the inbox it has the same effect.
    world.actor.enqueue(control(agent, ControlCommand::Resume)).await.expect("taken");
    until("it is resumed", || desired() == Desired::Active).await;
    let live = keyring().sign(draft(agent, MessageType::Task, Payload::from_value(&content("live")).expect("fits")));
    world.actor.enqueue(live).await.expect("taken");
    until("live work goes the durable way", || world.messaging.submitted.lock().len() == 1).await;
    world.stop().await;
}

#[tokio::test]
async fn an_agent_is_active_at_most_once() {
    let world = World::start().await;
    let agent = world.agent(|_| {});
    let host: &Arc<Host> = world.running.host();
    let activations: Vec<_> = (0..16)
        .map(|_| {
            let host = Arc::clone(host);
            tokio::task::spawn_blocking(move || host.activate(agent).expect("activated"))
        })
        .collect();
    let mut shared = Vec::new();
    for activation in activations {
        shared.push(activation.await.expect("joined"));
    }
    assert!(shared.iter().all(|one| Arc::ptr_eq(one, &shared[0])));
    assert_eq!(world.actor.active(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_graceful_stop_hands_back_what_hangs() {
    let mut world = World::start().await;
    let agent = world.agent(|_| {});
    world.mood(Mood::Hang);
    let task = world.task(agent, "x");
    world.hangs(Mood::Hang).await;
    world.running.stop(Deadline::after(Duration::from_millis(700))).await.expect("in time");
    let record = world.record(task);
    assert_eq!((record.state, record.attempts), (TaskState::Accepted, 0));
    let ended = world
        .ledger
        .state
        .lock()
        .commands
        .iter()
        .any(|command| matches!(command, Command::End { outcome: Outcome::HandedBack, .. }));
    assert!(ended && Interrupt::Fence.outcome().is_none());
    world.running.cleanup().await;
}

/// Agents that would wait a minute before they try a task again.
fn patient() -> ActorConfig {
    ActorConfig { retry_base_ms: 60_000, retry_max_ms: 60_000, ..ActorConfig::default() }
}

#[tokio::test]
async fn the_wait_for_another_attempt_ends_with_a_cancel_a_pause_or_a_stop() {
    let world = World::with(patient()).await;
    let agent = world.agent(|spec| spec.agent_type = AgentType::StatefulLoop);
    world.mood(Mood::Unavailable);
    let model = &*world.model;
    let (first, second) = (world.task(agent, "1"), world.task(agent, "2"));
    let asked = |times| until("the model was asked", move || model.asked.lock().len() == times);
    asked(1).await;
    world.actor.cancel(agent, first).await.expect("cancelled");
    assert_eq!(world.ends(first).await.state, TaskState::Cancelled);
    asked(2).await;
    assert_eq!(world.record(second).state, TaskState::Running, "it waits for its second attempt");
    world.actor.pause(agent).await.expect("paused");
    assert_eq!(world.actor.state(agent), Some(AgentState::Paused));
    let waiting = world.record(second);
    assert_eq!((waiting.state, waiting.attempts), (TaskState::Accepted, 1), "the attempt was made and counts");
    assert!(waiting.error.as_ref().is_some_and(|error| error.contains("down")));
    world.actor.resume(agent).await.expect("resumed");
    asked(3).await;
    world.actor.stop(agent).await.expect("stopped");
    assert_eq!(world.ends(second).await.state, TaskState::Cancelled);
    world.stop().await;
}
