//! Planned moves of leaderships, and what runs meanwhile.

use super::clusters::{MOVE, TestCluster, number};
use super::support::*;
use crate::{ShardHostConfig, Timings};
use octopussy_control::ControlCommand;
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_core::message::{DEFAULT_TTL, Priority};
use octopussy_core::ports::{LedgerObserver, MemberDesired};
use octopussy_core::task::{LedgerEvent, Outcome, TaskRecord, TaskState};
use octopussy_core::time::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a node is about to give a shard away.
#[derive(Default)]
struct Yields(AtomicBool);

impl Yields {
    fn now(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl LedgerObserver for Yields {
    fn on_event(&self, _: &LedgerEvent) {}

    fn on_yielding(&self, _: ShardId, yields: bool) {
        self.0.store(yields, Ordering::SeqCst);
    }
}

/// A shard of three nodes, a call that is under way there, and who waits for it.
struct Calling {
    cluster: TestCluster,
    leader: u8,
    yields: Arc<Yields>,
    agent: AgentId,
    task: TaskId,
}

const SHARD: ShardId = ShardId(0);

impl Calling {
    /// Unhurried, so that no leadership ends because a busy machine is slow.
    async fn begin(seed: u64) -> Self {
        let unhurried = |config| ShardHostConfig { timings: Timings::WAN, ..config };
        let cluster = TestCluster::of_with(seed, 1, 3, unhurried).await;
        let leader = cluster.leader(SHARD).unwrap();
        let (yields, node) = (Arc::new(Yields::default()), cluster.node(leader));
        node.led.observe(Arc::clone(&yields) as _);
        let agent = node.create("alice").await;
        let task = node.accept_one(agent).await;
        node.begin(task).await.unwrap();
        Self { cluster, leader, yields, agent, task }
    }

    fn node(&self) -> &TestNode {
        self.cluster.node(self.leader)
    }

    async fn desire(&self, desired: MemberDesired) {
        let node = self.node();
        let command = ControlCommand::SetDesired {
            node: node.id,
            desired,
            now: node.clock.now(),
            by: octopussy_control::AskedBy::UNTOLD,
        };
        node.host.propose_control_for(admin(), command).await.unwrap();
    }

    /// Drains the node that leads, and waits until that waits for the call.
    async fn drain(&self) {
        self.desire(MemberDesired::Draining).await;
        self.cluster.until("the drain to wait", MOVE, || self.yields.now()).await;
    }

    /// Ends the call, and says how the task ended where it is then.
    async fn end(self) -> Arc<TaskRecord> {
        let node = self.node();
        node.step(self.task, 0).await.unwrap();
        let result = message(self.agent, Priority::Normal, START, DEFAULT_TTL);
        node.end(self.task, Outcome::Succeeded(result)).await.unwrap();
        let elsewhere = || self.cluster.leader(SHARD).is_some_and(|other| other != self.leader);
        self.cluster.until("another to lead", MOVE, elsewhere).await;
        let other = self.cluster.node(self.cluster.leader(SHARD).unwrap());
        let done = other.ledger.task(self.task).await.unwrap().unwrap();
        self.cluster.close().await;
        done
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_waits_for_a_call_that_is_under_way_and_taking_it_back_changes_nothing() {
    let calling = Calling::begin(41).await;
    let (node, cluster) = (calling.node(), &calling.cluster);
    let epoch = node.led.epoch(SHARD);
    let group = node.host.core().group(SHARD).unwrap();
    for planned in [false, true] {
        calling.drain().await;
        // Whether it is taken back before or after the move is planned.
        let is_planned =
            || cluster.nodes.values().any(|node| node.host.control().place(SHARD).unwrap().target.is_some());
        cluster.until("the plan", MOVE, || !planned || is_planned()).await;
        calling.desire(MemberDesired::Active).await;
        let given_up = || !calling.yields.now() && !group.is_busy() && !is_planned();
        cluster.until("the drain to be given up", MOVE, given_up).await;
        assert_eq!(node.led.epoch(SHARD), epoch, "the leadership did not change hands");
    }
    calling.drain().await;
    assert_eq!(node.led.epoch(SHARD), epoch, "what is under way may go on");
    let done = calling.end().await;
    assert_eq!((done.state, done.attempts, done.begun, done.steps.len()), (TaskState::Succeeded, 1, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_goes_to_somebody_who_can_lead_when_the_call_ends() {
    let mut calling = Calling::begin(43).await;
    calling.drain().await;
    let target = || calling.node().host.control().place(SHARD).unwrap().target.clone();
    calling.cluster.until("the plan", MOVE, || target().is_some()).await;
    // The one that is to keep the vote goes, and the other one takes the shard over.
    let gone = target().and_then(|target| target.voters.first().copied()).map(number).unwrap();
    calling.cluster.crash(gone).await;
    let done = calling.end().await;
    assert_eq!((done.state, done.attempts, done.begun, done.steps.len()), (TaskState::Succeeded, 1, 1, 1));
}
