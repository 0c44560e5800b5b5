//! Planned moves of leaderships, and what runs meanwhile.

use super::clusters::{MOVE, TestCluster};
use super::support::*;
use octopussy_control::ControlCommand;
use octopussy_core::ids::ShardId;
use octopussy_core::message::{DEFAULT_TTL, Priority};
use octopussy_core::ports::{LedgerObserver, MemberDesired};
use octopussy_core::task::{LedgerEvent, Outcome, TaskState};
use octopussy_core::time::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts how often a node was about to give a shard away.
#[derive(Default)]
struct Yields(AtomicU64);

impl LedgerObserver for Yields {
    fn on_event(&self, _: &LedgerEvent) {}

    fn on_yielding(&self, _: ShardId, yields: bool) {
        self.0.fetch_add(u64::from(yields), Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_waits_for_a_call_that_is_under_way_and_taking_it_back_changes_nothing() {
    let cluster = TestCluster::of(41, 1, 3).await;
    let shard = ShardId(0);
    let leader = cluster.leader(shard).unwrap();
    let node = cluster.node(leader);
    let yields = Arc::new(Yields::default());
    node.led.observe(Arc::clone(&yields) as _);
    let agent = node.create("alice").await;
    let task = node.accept_one(agent).await;
    node.begin(task).await.unwrap();
    let epoch = node.led.epoch(shard);
    let desire = async |desired| {
        let command = ControlCommand::SetDesired { node: node_id(leader), desired, now: node.clock.now() };
        node.host.propose_control(command).await.unwrap();
    };
    let group = node.host.core().group(shard).unwrap();
    for round in 1..=2 {
        desire(MemberDesired::Draining).await;
        cluster.until("the drain to wait", MOVE, || yields.0.load(Ordering::SeqCst) == round && group.is_busy()).await;
        desire(MemberDesired::Active).await;
        cluster.until("the drain to be given up", MOVE, || !group.is_busy()).await;
        assert_eq!(node.led.epoch(shard), epoch, "the leadership did not change hands");
    }
    desire(MemberDesired::Draining).await;
    cluster.until("the drain to wait", MOVE, || yields.0.load(Ordering::SeqCst) == 3).await;
    node.step(task, 0).await.unwrap();
    assert_eq!(node.led.epoch(shard), epoch, "what is under way may go on");
    let result = message(agent, Priority::Normal, START, DEFAULT_TTL);
    node.end(task, Outcome::Succeeded(result)).await.unwrap();
    cluster.until("another to lead", MOVE, || cluster.leader(shard).is_some_and(|other| other != leader)).await;
    let other = cluster.node(cluster.leader(shard).unwrap());
    let done = other.ledger.task(task).await.unwrap().unwrap();
    assert_eq!((done.state, done.attempts, done.begun, done.steps.len()), (TaskState::Succeeded, 1, 1, 1));
    cluster.close().await;
}
