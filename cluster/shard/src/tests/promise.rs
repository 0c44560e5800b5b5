//! Followers that start again while their leader still speaks by what they answered before.

use super::clusters::TestCluster;
use super::support::*;
use octopussy_core::ids::ShardId;

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
