//! Messaging on several nodes: what happens at a leader is heard at every node, and commands find their agent's host.

mod world;

use futures::StreamExt;
use octopussy_core::agent::AgentState;
use octopussy_core::ports::{ControlCommand, EventKind, Topic};
use octopussy_core::problem::Code;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use world::{World, agent, control, heard, task, token, word};

#[tokio::test(start_paused = true)]
async fn a_watcher_hears_what_happens_at_the_leader_and_can_go_on_elsewhere() {
    let world = World::of(3).await;
    world.lead(agent(), Some(0));
    let (leader, task) = (&world.nodes[0].messaging, task());
    assert!(!leader.is_watched(agent(), task));
    let mut news = world.nodes[1].messaging.subscribe(Topic::Task(task), None).await.unwrap();
    assert!(leader.is_watched(agent(), task), "the leader does not know of the remote watcher");
    for text in ["a", "b", "c"] {
        leader.publish(agent(), Some(task), token(text));
    }
    assert_eq!(heard(&mut news).await, "a");
    let second = news.next().await.unwrap();
    assert_eq!(word(Some(&second)), "b");
    let mut resumed = world.nodes[2].messaging.subscribe(Topic::Task(task), Some(second.id)).await.unwrap();
    assert_eq!(heard(&mut resumed).await, "c", "the watcher goes on at another node where it was");
    drop((news, resumed));
}

#[tokio::test(start_paused = true)]
async fn watchers_follow_the_leader() {
    let world = World::of(3).await;
    world.lead(agent(), Some(0));
    let task = task();
    let mut watchers = Vec::new();
    for node in &world.nodes {
        watchers.push(node.messaging.subscribe(Topic::Task(task), None).await.unwrap());
    }
    world.nodes[0].messaging.publish(agent(), Some(task), token("before"));
    for news in &mut watchers {
        assert_eq!(heard(news).await, "before");
    }
    world.lead(agent(), None);
    world.nodes[0].messaging.publish(agent(), Some(task), token("from a leader no more"));
    world.lead(agent(), Some(1));
    for (node, news) in watchers.iter_mut().enumerate() {
        assert_eq!(heard(news).await, "gap", "node {node} is not told that events may be missing");
    }
    assert!(!world.nodes[0].messaging.is_watched(agent(), task));
    world.nodes[1].messaging.publish(agent(), Some(task), token("after"));
    for news in &mut watchers {
        assert_eq!(heard(news).await, "after");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_or_vanishes_is_followed_by_the_next() {
    let world = World::of(3).await;
    world.lead(agent(), Some(0));
    let task = task();
    let mut news = world.nodes[2].messaging.subscribe(Topic::Task(task), None).await.unwrap();
    world.stop(0).await;
    world.lead(agent(), Some(1));
    assert_eq!(heard(&mut news).await, "gap");
    world.nodes[1].messaging.publish(agent(), Some(task), token("one"));
    assert_eq!(heard(&mut news).await, "one");
    world.network.stop(world.nodes[1].id);
    world.lead(agent(), Some(2));
    assert_eq!(heard(&mut news).await, "gap");
    world.nodes[2].messaging.publish(agent(), Some(task), token("two"));
    assert_eq!(heard(&mut news).await, "two");
    world.stop(2).await;
    assert_eq!(heard(&mut news).await, "end");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_without_a_leader_begins_with_a_gap() {
    let world = World::of(2).await;
    let task = task();
    let mut news = world.nodes[1].messaging.subscribe(Topic::Task(task), None).await.unwrap();
    world.lead(agent(), Some(0));
    assert_eq!(heard(&mut news).await, "gap");
    assert!(world.nodes[0].messaging.is_watched(agent(), task), "the gap came before the subscription stood");
    world.nodes[0].messaging.publish(agent(), Some(task), token("x"));
    assert_eq!(heard(&mut news).await, "x");
}

#[tokio::test(start_paused = true)]
async fn a_slow_watcher_gets_a_gap_and_nothing_grows() {
    let world = World::of(2).await;
    world.lead(agent(), Some(0));
    let task = task();
    let mut news = world.nodes[1].messaging.subscribe(Topic::Task(task), None).await.unwrap();
    for index in 0..50_000 {
        world.nodes[0].messaging.publish(agent(), Some(task), token(index.to_string()));
        if index % 64 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let (mut seen, mut gaps, mut last) = (0, 0, None);
    while last != Some(49_999) {
        match heard(&mut news).await.as_str() {
            "gap" => gaps += 1,
            text => {
                let index: u64 = text.parse().unwrap();
                assert!(last.is_none_or(|last| last < index), "{index} after {last:?}");
                (seen, last) = (seen + 1, Some(index));
            }
        }
    }
    assert!(
        gaps > 0 && seen < 50_000,
        "{gaps} gaps, {seen} events: everything was kept for a watcher that did not read"
    );
}

#[tokio::test(start_paused = true)]
async fn all_is_what_happens_on_all_nodes() {
    let mut world = World::of(2).await;
    let other = octopussy_core::ids::AgentId::from_name("clerk");
    world.lead(agent(), Some(0));
    world.lead(other, Some(1));
    let mut news = world.nodes[0].messaging.subscribe(Topic::All, None).await.unwrap();
    world.nodes[0].messaging.publish(agent(), None, EventKind::Agent(AgentState::Idle));
    assert_eq!(heard(&mut news).await, "IDLE");
    world.nodes[1].messaging.publish(other, None, EventKind::Agent(AgentState::Paused));
    assert_eq!(heard(&mut news).await, "PAUSED");
    world.join().await;
    assert_eq!(heard(&mut news).await, "gap", "what the new node told before is not known");
    world.nodes[2].messaging.publish(agent(), None, EventKind::Agent(AgentState::Error));
    assert_eq!(heard(&mut news).await, "ERROR");
    // It leaves and comes back.
    world.network.stop(world.nodes[2].id);
    world.nodes[1].messaging.publish(other, None, EventKind::Agent(AgentState::Idle));
    assert_eq!(heard(&mut news).await, "IDLE");
    let mut here = world.nodes[0].messaging.subscribe_here(Topic::Agents, None).unwrap();
    world.nodes[1].messaging.publish(other, None, EventKind::Agent(AgentState::Idle));
    world.nodes[0].messaging.publish(agent(), None, EventKind::Agent(AgentState::Stopped));
    assert_eq!(heard(&mut here).await, "STOPPED", "only what happens here");
}

#[tokio::test(start_paused = true)]
async fn commands_reach_the_host_once_wherever_they_are_given() {
    let world = World::of(3).await;
    world.lead(agent(), Some(0));
    let (host, messaging) = (&world.nodes[0].host, &world.nodes[1].messaging);
    messaging.control(control(ControlCommand::Pause, 7)).await.unwrap();
    let refused = messaging.control(control(ControlCommand::Stop, 7)).await.unwrap_err();
    assert_eq!(refused.code, Code::AgentStopped, "the host's answer comes back");
    assert_eq!(host.commands.load(Ordering::SeqCst), 2);
    let forged = messaging.control(control(ControlCommand::Pause, 8)).await.unwrap_err();
    assert_eq!(forged.code, Code::Forbidden);
    assert_eq!(host.commands.load(Ordering::SeqCst), 2, "a forged message got to the host");

    // The host takes longer than one attempt: the repetitions are recognised.
    host.permits.forget_permits(100);
    let sent = tokio::spawn({
        let messaging = messaging.clone();
        async move { messaging.control(control(ControlCommand::Resume, 7)).await }
    });
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(!sent.is_finished());
    host.permits.add_permits(1);
    sent.await.unwrap().unwrap();
    assert_eq!(host.commands.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_command_waits_for_the_next_leader_and_not_forever() {
    let world = World::of(3).await;
    let messaging = world.nodes[1].messaging.clone();
    let sent = tokio::spawn(async move { messaging.control(control(ControlCommand::Pause, 7)).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.lead(agent(), Some(2));
    sent.await.unwrap().unwrap();
    assert_eq!(world.nodes[2].host.commands.load(Ordering::SeqCst), 1);
    world.network.isolate(&[world.nodes[2].id]);
    let began = Instant::now();
    let lost = world.nodes[1].messaging.control(control(ControlCommand::Pause, 7)).await.unwrap_err();
    assert_eq!(lost.code, Code::NotReady);
    assert!(lost.retry_after.is_some());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn how_agents_are_is_asked_from_their_leaders() {
    let world = World::of(3).await;
    let other = octopussy_core::ids::AgentId::from_name("clerk");
    world.lead(agent(), Some(0));
    world.lead(other, Some(2));
    let mut live = world.nodes[1].messaging.live(&[agent(), other]).await;
    live.sort_by_key(|live| live.agent);
    assert_eq!(live.len(), 2);
    assert!(
        live.iter()
            .all(|live| live.waiting == 7 && live.status.is_some_and(|status| status.state == AgentState::Processing))
    );
    world.network.isolate(&[world.nodes[2].id]);
    let live = world.nodes[1].messaging.live(&[agent(), other]).await;
    assert_eq!(live.iter().map(|live| live.agent).collect::<Vec<_>>(), [agent()], "the other's leader does not answer");
}
