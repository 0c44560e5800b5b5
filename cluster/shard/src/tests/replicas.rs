//! Replicas that come back with less than they had.

use super::clusters::{MOVE, TestCluster};
use super::support::*;
use crate::raft::{GroupId, ReplicaIncarnation};
use octopussy_core::ids::{ShardId, TaskId};
use octopussy_core::task::TaskState;
use openraft::async_runtime::watch::WatchReceiver;
use std::path::Path;

const SHARD: ShardId = ShardId(0);

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

fn clear(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
}

impl TestCluster {
    fn replica(&self, number: u8, group: GroupId) -> Option<ReplicaIncarnation> {
        Some(self.nodes.get(&number)?.host.core().registry.get(group)?.incarnation())
    }

    /// Whether the leader of the shard counts the replica that the node has, with a vote, and all three have what it has.
    fn is_whole(&self, of: u8) -> bool {
        let Some(leader) = self.leader(SHARD) else { return false };
        let Some(group) = self.node(leader).host.core().group(SHARD) else { return false };
        let metrics = group.raft().metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let named = membership.get_node(&node_id(of)).map(|replica| replica.incarnation);
        let matched = metrics.replication.iter().flatten().all(|(_, matched)| *matched >= metrics.last_applied);
        named == self.replica(of, GroupId::of(SHARD))
            && membership.get_joint_config().len() == 1
            && membership.voter_ids().count() == 3
            && matched
    }

    fn two_others(&self, than: u8) -> [u8; 2] {
        let others: Vec<u8> = [1, 2, 3].into_iter().filter(|number| *number != than).collect();
        [others[0], others[1]]
    }
}

async fn assert_all_there(node: &TestNode, tasks: &[TaskId]) {
    for id in tasks {
        let task = node.ledger.task(*id).await.unwrap().unwrap_or_else(|| panic!("task {id} is lost"));
        assert_eq!(task.state, TaskState::Accepted);
    }
}

/// The copy is of this start: only the leader can notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_behind_what_it_acknowledged_is_installed_anew_and_its_shard_survives_the_next_loss() {
    let mut cluster = TestCluster::of(61, 1, 3).await;
    let agent = cluster.node(1).create("alice").await;
    let leader = cluster.leader(SHARD).unwrap();
    let [old, other] = cluster.two_others(leader);
    let before = cluster.replica(old, GroupId::of(SHARD)).unwrap();
    let copied = tempfile::tempdir().unwrap();
    cluster.crash(old).await;
    copy(cluster.dir(old), copied.path());
    cluster.restart(old).await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(cluster.node(leader).accept_one(agent).await);
    }
    cluster.until("the copy of everything", LIMIT, || cluster.is_whole(old)).await;
    cluster.crash(old).await;
    clear(cluster.dir(old));
    copy(copied.path(), cluster.dir(old));
    cluster.restart(old).await;
    let anew = || cluster.replica(old, GroupId::of(SHARD)).is_some_and(|now| now > before) && cluster.is_whole(old);
    cluster.until("the new replica", MOVE, anew).await;
    assert!(cluster.nodes.values().any(|node| node.host.lost_replicas().contains_key(&node_id(old))), "it is not told");
    cluster.crash(other).await;
    cluster.until("a leader", LIMIT, || cluster.leader(SHARD).is_some()).await;
    tasks.push(cluster.node(old).accept_one(agent).await);
    assert_all_there(cluster.node(old), &tasks).await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_data_is_gone_helps_nobody_who_lacks_what_it_had_acknowledged() {
    let mut cluster = TestCluster::of(62, 1, 3).await;
    let agent = cluster.node(1).create("alice").await;
    let leader = cluster.leader(SHARD).unwrap();
    let [lost, behind] = cluster.two_others(leader);
    cluster.crash(behind).await;
    let mut tasks = Vec::new();
    for _ in 0..5 {
        tasks.push(cluster.node(leader).accept_one(agent).await);
    }
    cluster.crash(leader).await;
    cluster.crash(lost).await;
    clear(cluster.dir(lost));
    cluster.restart(behind).await;
    cluster.restart(lost).await;
    // Long enough for many elections.
    let end = std::time::Instant::now() + cluster.node(behind).host.core().context.config.timings.election_max * 6;
    while std::time::Instant::now() < end {
        assert_eq!(cluster.leader(SHARD), None, "it leads without what was acknowledged");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    cluster.restart(leader).await;
    cluster.until("the new replica", MOVE, || cluster.is_whole(lost)).await;
    for node in cluster.nodes.values() {
        assert_all_there(node, &tasks).await;
    }
    cluster.close().await;
}
