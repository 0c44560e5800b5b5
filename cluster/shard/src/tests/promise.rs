//! Who must not speak, or vote, by what it gave away or answered before.

use super::clusters::TestCluster;
use super::support::*;
use crate::raft::GroupId;
use octopussy_core::ids::ShardId;
use openraft::async_runtime::watch::WatchReceiver;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_starts_again_helps_nobody_into_the_place_of_a_leader_that_speaks() {
    let mut cluster = TestCluster::of(37, 1, 3).await;
    let shard = ShardId(0);
    let leader = cluster.leader(shard).unwrap();
    let [follower, rival] = [1, 2, 3].into_iter().filter(|number| *number != leader).collect::<Vec<_>>()[..] else {
        panic!("three nodes")
    };
    // The rival asks for votes from here on, and is refused by the follower, which hears the leader.
    cluster.network.partition(node_id(leader), node_id(rival));
    let cut = || !cluster.node(rival).host.core().mesh.is_connected(node_id(leader));
    cluster.until("the rival to lose its leader", LIMIT, cut).await;
    assert_eq!(cluster.leader(shard), Some(leader), "the follower voted although it hears its leader");
    cluster.network.partition(node_id(leader), node_id(follower));
    cluster.crash(follower).await;
    cluster.restart(follower).await;
    // Fails at once when both lead.
    cluster.until("another to lead", LIMIT, || cluster.leader(shard).is_some_and(|other| other != leader)).await;
    cluster.network.heal_all();
    cluster.settled().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_offered_its_place_in_vain_does_not_speak_in_that_term_again() {
    let cluster = TestCluster::of(38, 1, 3).await;
    let shard = ShardId(0);
    let leader = cluster.leader(shard).unwrap();
    let to = if leader == 3 { 2 } else { 3 };
    let node = cluster.node(leader);
    let group = node.host.core().registry.get(GroupId::of(shard)).unwrap();
    let term = || group.raft().server_metrics().borrow_watched().vote.leader_id.term;
    let before = term();
    // The offer arrives some day: whoever is voted for by it need not wait for a lease to end.
    cluster.network.partition_one_way(node_id(leader), node_id(to));
    assert!(!group.hand_over(node_id(to), Duration::from_millis(20)).await);
    let end = std::time::Instant::now() + node.host.core().context.config.timings.election_max;
    while std::time::Instant::now() < end {
        assert!(!group.speaks() || term() > before, "it speaks by a lease that no longer holds");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cluster.network.heal_all();
    cluster.until("somebody to lead", LIMIT, || cluster.leader(shard).is_some()).await;
    assert!(term() > before);
    cluster.close().await;
}
