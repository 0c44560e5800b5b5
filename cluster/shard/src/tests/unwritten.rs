//! Leaders that are killed before their own disk has what the disks of the others have.

use super::clusters::TestCluster;
use super::support::*;
use crate::raft::GroupId;
use octopussy_core::ids::{ShardId, TaskId};
use std::sync::atomic::Ordering;

fn has(cluster: &TestCluster, number: u8, task: TaskId) -> bool {
    cluster.node(number).host.core().context.state.task(task).is_ok_and(|task| task.is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_have_outlives_a_leader_that_comes_back_without_it() {
    let mut cluster = TestCluster::of(31, 1, 3).await;
    let shard = ShardId(0);
    let leader = cluster.leader(shard).unwrap();
    let [follower, other] = [1, 2, 3].into_iter().filter(|number| *number != leader).collect::<Vec<_>>()[..] else {
        panic!("three nodes")
    };
    let agent = cluster.node(leader).create("alice").await;
    cluster.node(leader).host.core().context.state.flush().await.unwrap();
    let term = cluster.node(leader).host.core().context.log.group(GroupId::of(shard)).vote().unwrap().leader_id.term;
    // From here on nothing of the leader's reaches a disk of its own: the others make the majority.
    cluster.disks(leader).log.stalled.store(true, Ordering::SeqCst);
    cluster.disks(leader).state.stalled.store(true, Ordering::SeqCst);
    let acknowledged = cluster.node(leader).accept_one(agent).await;
    // Those that are left cannot elect anybody before the leader is back.
    cluster.crash(other).await;
    cluster.crash_unwritten(leader).await;
    let log = cluster.node(follower).host.core().context.log.group(GroupId::of(shard));
    assert_eq!(log.vote().unwrap().leader_id.term, term, "somebody was elected meanwhile");
    cluster.restart(leader).await;
    cluster.until("a leader", LIMIT, || cluster.leader(shard).is_some()).await;
    let later = cluster.node(follower).accept_one(agent).await;
    for number in [leader, follower] {
        for task in [acknowledged, later] {
            cluster.until("the same everywhere", LIMIT, || has(&cluster, number, task)).await;
        }
    }
    cluster.restart(other).await;
    cluster.until("the third", LIMIT, || has(&cluster, other, acknowledged) && has(&cluster, other, later)).await;
    cluster.close().await;
}
