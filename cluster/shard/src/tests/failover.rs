//! Leaders that crash, are cut off, and come back.

use super::clusters::{TestCluster, number};
use super::support::*;
use octopussy_core::ids::{AgentId, Epoch, ShardId, TaskId};
use octopussy_core::ports::{LedgerObserver, ProposeError};
use octopussy_core::task::{LedgerEvent, TaskState};
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node, a shard, the epoch under which it was gained, and when; without one it was lost.
type Entry = (u8, ShardId, Option<Epoch>, Instant);

/// Who leads what since when, by their own account.
#[derive(Default)]
pub(super) struct Chronicle(Mutex<Vec<Entry>>);

struct Scribe(u8, Arc<Chronicle>);

impl LedgerObserver for Scribe {
    fn on_event(&self, event: &LedgerEvent) {
        let entry = match event {
            LedgerEvent::LeaderGained { shard, epoch } => (self.0, *shard, Some(*epoch), Instant::now()),
            LedgerEvent::LeaderLost { shard } => (self.0, *shard, None, Instant::now()),
            LedgerEvent::TaskReady { .. }
            | LedgerEvent::TaskBegun { .. }
            | LedgerEvent::StepDone { .. }
            | LedgerEvent::CancelRequested { .. }
            | LedgerEvent::TaskEnded { .. }
            | LedgerEvent::AgentChanged { .. } => return,
        };
        self.1.0.lock().push(entry);
    }
}

impl Chronicle {
    pub(super) fn of(cluster: &TestCluster) -> Arc<Self> {
        let this = Arc::new(Self::default());
        for (number, node) in &cluster.nodes {
            node.led.observe(Arc::new(Scribe(*number, Arc::clone(&this))));
        }
        this
    }

    /// Nobody gains a shard while another has it, unless that one has crashed; and every epoch is greater than those before.
    pub(super) fn check(&self, crashed: &[u8]) {
        let mut entries = self.0.lock().clone();
        entries.sort_by_key(|entry| entry.3);
        let mut held = std::collections::BTreeMap::new();
        let mut epochs = std::collections::BTreeMap::new();
        for (number, shard, epoch, _) in entries {
            match epoch {
                Some(epoch) => {
                    let before = held.insert(shard, number);
                    let free = before.is_none_or(|before| before == number || crashed.contains(&before));
                    assert!(free, "shard {shard}: {number} spoke before {before:?} fell silent");
                    let last = epochs.insert(shard, epoch);
                    assert!(last.is_none_or(|last| last < epoch), "shard {shard}: {epoch} after {last:?}");
                }
                None => {
                    if held.get(&shard) == Some(&number) {
                        held.remove(&shard);
                    }
                }
            }
        }
    }
}

async fn agent_led_by(cluster: &TestCluster, wanted: u8) -> AgentId {
    for turn in 0..64 {
        let name = format!("agent-{turn}");
        let id = agent(&name).id;
        if cluster.leader(cluster.node(1).shard_of(id)) == Some(wanted) {
            return cluster.node(1).create(&name).await;
        }
    }
    panic!("node {wanted} leads nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_leads_after_a_crash_and_nothing_acknowledged_is_lost() {
    let mut cluster = TestCluster::of(21, 2, 3).await;
    let chronicle = Chronicle::of(&cluster);
    let crashing = cluster.leader(ShardId(0)).unwrap();
    let survivor = if crashing == 1 { 2 } else { 1 };
    let agent = agent_led_by(&cluster, crashing).await;
    let shard = cluster.node(survivor).shard_of(agent);
    let before = cluster.node(crashing).led.epoch(shard).unwrap();
    let mut acknowledged: Vec<TaskId> = Vec::new();
    for _ in 0..20 {
        acknowledged.push(cluster.node(survivor).accept_one(agent).await);
    }
    // Through the loss: the acceptance is repeated until somebody leads.
    let ledger = Arc::clone(&cluster.node(survivor).ledger);
    let now = cluster.node(survivor).clock.clone();
    let through = tokio::spawn(async move {
        let mut accepted = Vec::new();
        for _ in 0..20 {
            let task = new_task(agent);
            let id = task.id;
            let now = octopussy_core::time::Clock::now(now.as_ref());
            let accept = octopussy_core::task::Command::Accept { task: Box::new(task), now };
            ledger.propose(shard, accept).await.unwrap();
            accepted.push(id);
        }
        accepted
    });
    cluster.crash(crashing).await;
    acknowledged.extend(through.await.unwrap());
    cluster.until("another leader", LIMIT, || cluster.leader(shard).is_some()).await;
    for node in cluster.nodes.values() {
        for id in &acknowledged {
            assert!(node.ledger.task(*id).await.unwrap().is_some(), "task {id} is lost");
        }
    }
    let leader = cluster.leader(shard).unwrap();
    assert!(cluster.node(leader).led.epoch(shard).unwrap() > before);
    // What the crashed node missed comes to it by the log.
    cluster.restart(crashing).await;
    let later = cluster.node(survivor).accept_one(agent).await;
    let back = cluster.node(crashing);
    cluster
        .until("the catching up", LIMIT, || back.host.core().context.state.task(later).is_ok_and(|task| task.is_some()))
        .await;
    for id in &acknowledged {
        assert!(back.host.core().context.state.task(*id).unwrap().is_some(), "the restarted node lacks task {id}");
    }
    chronicle.check(&[crashing]);
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_falls_silent_before_another_speaks() {
    let cluster = TestCluster::of(22, 2, 3).await;
    let chronicle = Chronicle::of(&cluster);
    let cut = cluster.leader(ShardId(0)).unwrap();
    let agent = agent_led_by(&cluster, cut).await;
    let shard = cluster.node(1).shard_of(agent);
    let kept = cluster.node(cut).accept_one(agent).await;
    cluster.network.isolate(&[node_id(cut)]);
    let others = || cluster.nodes.iter().filter(|(number, _)| **number != cut).map(|(_, node)| node);
    cluster.until("another leader", LIMIT, || others().any(|node| node.led.epoch(shard).is_some())).await;
    assert_eq!(cluster.node(cut).led.epoch(shard), None, "two epochs are alive");
    let refused = cluster.node(cut).accept(new_task(agent)).await;
    assert!(matches!(refused, Err(ProposeError::NoLeader(_) | ProposeError::Uncertain(_))), "{refused:?}");
    let majority = if cut == 1 { 2 } else { 1 };
    let task = cluster.node(majority).accept_one(agent).await;
    cluster.network.heal_all();
    let record = cluster.node(cut).ledger.task(task).await.unwrap().unwrap();
    assert_eq!(record.state, TaskState::Accepted);
    assert!(cluster.node(cut).ledger.task(kept).await.unwrap().is_some());
    chronicle.check(&[]);
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_for_long_catches_up_by_a_snapshot() {
    let mut cluster = TestCluster::of(23, 1, 3).await;
    let shard = ShardId(0);
    let leader = cluster.leader(shard).unwrap();
    let away = (1..=3).find(|number| *number != leader).unwrap();
    let agent = cluster.node(leader).create("alice").await;
    cluster.crash(away).await;
    let mut tasks = Vec::new();
    for _ in 0..40 {
        tasks.push(cluster.node(leader).run(agent).await);
    }
    // What the leader has is stored, marked as a snapshot, and its log dropped.
    let core = cluster.node(leader).host.core();
    core.context.state.flush().await.unwrap();
    let group = core.group(shard).unwrap();
    let upto = core.context.state.durable(group.id()).unwrap().index;
    let raft = group.raft();
    raft.trigger().snapshot().await.unwrap();
    let purged = || raft.data_metrics().borrow_watched().purged.map_or(0, |id| id.index);
    let snapshot = || raft.data_metrics().borrow_watched().snapshot.map_or(0, |id| id.index);
    cluster.until("the snapshot", LIMIT, || snapshot() >= upto).await;
    raft.trigger().purge_log(upto).await.unwrap();
    cluster.until("the purge", LIMIT, || purged() >= upto).await;
    drop(group);
    cluster.restart(away).await;
    let state = Arc::clone(&cluster.node(away).host.core().context.state);
    let has =
        |id: &TaskId| state.task(*id).is_ok_and(|task| task.is_some_and(|task| task.state == TaskState::Succeeded));
    cluster.until("the snapshot's arrival", LIMIT, || tasks.iter().all(has)).await;
    let after = cluster.node(away).run_anywhere(&cluster, agent).await;
    cluster.until("the entries after it", LIMIT, || has(&after)).await;
    cluster.close().await;
}

impl TestNode {
    /// Runs a task at whichever node leads its agent.
    async fn run_anywhere(&self, cluster: &TestCluster, agent: AgentId) -> TaskId {
        let leader = self.ledger.leader(self.shard_of(agent)).map_or(self.id, |leader| leader);
        cluster.node(number(leader)).run(agent).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_end_hands_over_at_once() {
    let mut cluster = TestCluster::of(24, 2, 3).await;
    let chronicle = Chronicle::of(&cluster);
    let leaving = cluster.leader(ShardId(0)).unwrap();
    let node = cluster.nodes.remove(&leaving).unwrap();
    node.close().await;
    cluster
        .until("other leaders", Duration::from_millis(500), || {
            cluster.shards().all(|shard| cluster.leader(shard).is_some())
        })
        .await;
    chronicle.check(&[]);
    cluster.close().await;
}
