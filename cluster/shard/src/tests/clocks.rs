//! Members whose clocks are wrong.

use super::clusters::{MOVE, TestCluster};
use super::support::*;
use octopussy_core::ids::AgentId;
use octopussy_core::task::TaskState;

const HOURS: u64 = 2 * 3_600_000;

/// Tasks that any node takes in are begun and do not expire.
async fn works(cluster: &TestCluster, agent: AgentId) {
    let shard = cluster.node(1).shard_of(agent);
    for number in 1..=3 {
        let task = cluster.node(number).accept_one(agent).await;
        let begun = loop {
            cluster.until("a leader", MOVE, || cluster.leader(shard).is_some()).await;
            let Some(leader) = cluster.leader(shard) else { continue };
            // It may be given away meanwhile.
            let leader = cluster.node(leader);
            let Some(epoch) = leader.led.epoch(shard) else { continue };
            let now = octopussy_core::time::Clock::now(leader.clock.as_ref());
            let begin = octopussy_core::task::Command::Begin { task, epoch, version: 1, now };
            if let Ok(applied) = leader.on_task(task, begin).await {
                break task_of(applied);
            }
        };
        assert_eq!((begun.state, begun.dead_letter), (TaskState::Running, None), "accepted by {number}");
        let ahead = begun.accepted_at.as_millis().abs_diff(START);
        assert!(ahead < 60_000, "the shard's time is off by {ahead} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_comes_back_hours_ahead_leads_nothing_and_leaves_nothing_behind() {
    let mut cluster = TestCluster::of(43, 1, 3).await;
    let agent = cluster.node(1).create("alice").await;
    let shard = cluster.node(1).shard_of(agent);
    let wrong = cluster.leader(shard).unwrap();
    works(&cluster, agent).await;
    cluster.crash(wrong).await;
    cluster.restart_at(wrong, START + HOURS).await;
    works(&cluster, agent).await;
    let node = cluster.node(wrong);
    cluster.until("the difference to be noticed", MOVE, || node.host.clocks().is_outlier()).await;
    let given = || !cluster.node(wrong).leads_any() && cluster.leader(shard).is_some();
    cluster.until("what it leads to be given away", MOVE, given).await;
    works(&cluster, agent).await;
    let other = (1..=3).find(|number| *number != wrong).unwrap();
    let measured = || {
        let ahead = cluster.node(other).host.clocks().ahead.get(&node_id(wrong)).copied().unwrap_or_default();
        ahead.unsigned_abs().abs_diff(HOURS) < 60_000
    };
    cluster.until("the others to have measured it", MOVE, measured).await;
    cluster.crash(wrong).await;
    cluster.restart_at(wrong, START).await;
    works(&cluster, agent).await;
    for number in 1..=3 {
        cluster.crash(number).await;
    }
    for number in 1..=3 {
        cluster.restart(number).await;
    }
    works(&cluster, agent).await;
    cluster.close().await;
}
