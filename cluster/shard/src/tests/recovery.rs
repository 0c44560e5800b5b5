//! What becomes of groups whose quorum is lost for good.

use super::clusters::TestCluster;
use super::support::*;
use crate::Recovered;
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_placement::Group;

const ALL: [Group; 3] = [Group::Control, Group::Shard(ShardId(0)), Group::Shard(ShardId(1))];

/// A cluster of three of which one node is left, with an agent and its task.
async fn left_alone(seed: u64) -> (TestCluster, u8, AgentId, TaskId) {
    let mut cluster = TestCluster::of(seed, 2, 3).await;
    let agent = cluster.node(1).create("alice").await;
    let task = cluster.node(1).accept_one(agent).await;
    let left = cluster.leader(cluster.node(1).shard_of(agent)).unwrap();
    for lost in (1..=3).filter(|number| *number != left) {
        cluster.crash(lost).await;
    }
    let node = cluster.node(left);
    let silent = || cluster.shards().all(|shard| node.led.epoch(shard).is_none());
    cluster.until("the loss of the lease", LIMIT, silent).await;
    let connected = || !octopussy_core::ports::MeshPort::peers(node.host.core().mesh.as_ref()).is_empty();
    cluster.until("the loss of connections", LIMIT, || !connected()).await;
    (cluster, left, agent, task)
}

/// Everything is there and goes on, and the lost are taken out.
async fn goes_on(cluster: TestCluster, left: u8, agent: AgentId, task: TaskId, recovered: Recovered) {
    let node = cluster.node(left);
    assert_eq!(recovered.lost.len(), 2, "{recovered:?}");
    cluster.until("its lead", LIMIT, || cluster.shards().all(|shard| node.led.epoch(shard).is_some())).await;
    assert!(node.ledger.task(task).await.unwrap().is_some());
    node.run(agent).await;
    let gone = || recovered.lost.iter().all(|lost| node.host.control().departed.contains_key(lost));
    cluster.until("the lost to be taken out", LIMIT, gone).await;
    assert_eq!(node.host.recover(&admin()).await.unwrap(), Recovered::default(), "there is nothing left to recover");
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_left_alone_recovers_by_command() {
    let (cluster, left, agent, task) = left_alone(25).await;
    let recovered = cluster.node(left).host.recover(&admin()).await.unwrap();
    assert_eq!(recovered.groups, ALL);
    goes_on(cluster, left, agent, task, recovered).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_is_cut_short_is_finished_by_the_next() {
    let (cluster, left, agent, task) = left_alone(26).await;
    let node = cluster.node(left);
    // The last shard is its own before it has elected this node, and that is before anything is written down.
    let last = || node.host.core().group(ShardId(1)).is_some_and(|group| group.voters() == [node.id]);
    let asker = admin();
    tokio::select! {
        biased;
        () = cluster.until("the last group", LIMIT, last) => {}
        recovered = node.host.recover(&asker) => panic!("it was not cut short: {recovered:?}"),
    }
    assert_eq!(node.host.control().table[1].current.voters.len(), 3, "it was cut short too late");
    let recovered = node.host.recover(&admin()).await.unwrap();
    assert!(ALL[1..].iter().all(|shard| recovered.groups.contains(shard)), "{recovered:?}");
    goes_on(cluster, left, agent, task, recovered).await;
}
