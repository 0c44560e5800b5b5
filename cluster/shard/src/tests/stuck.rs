//! Leaders under which nothing moves, and nodes that are cut off.

use super::clusters::{MOVE, TestCluster};
use super::support::*;
use crate::{ShardHostConfig, StepDown};
use octopussy_core::ids::ShardId;
use octopussy_core::ports::{Lane, ProposeError};
use octopussy_core::task::Command;
use octopussy_core::time::Clock;
use std::time::Duration;

/// Followers that answer heartbeats keep their leader in its place, whether or not its entries reach them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_commits_nothing_is_told_of_and_gives_the_group_away() {
    let cluster =
        TestCluster::of_with(61, 1, 3, |config| ShardHostConfig { stuck_after: Duration::from_millis(500), ..config })
            .await;
    let shard = ShardId(0);
    let leader = cluster.leader(shard).unwrap();
    let node = cluster.node(leader);
    let agent = node.create("alice").await;
    let handed = |node: &TestNode| {
        let counted = node.host.metrics().step_downs;
        counted.iter().find(|(why, _)| *why == StepDown::HandOver).map_or(0, |(_, count)| *count)
    };
    let before = handed(node);
    cluster.network.silence(Some(Lane::RaftAppend));
    let accept = Command::Accept { task: Box::new(new_task(agent)), now: node.clock.now() };
    let accepted = tokio::spawn(node.ledger.propose(shard, accept));
    cluster.until("it is told", MOVE, || node.host.stuck().contains(&1) && node.host.metrics().stuck > 0).await;
    cluster.until("it is given away", MOVE, || handed(node) > before).await;
    cluster.network.silence(None);
    cluster.until("a leader", MOVE, || cluster.leader(shard).is_some()).await;
    drop(accepted.await);
    for node in cluster.nodes.values() {
        node.accept_one(agent).await;
    }
    cluster.until("nothing is stuck", MOVE, || cluster.nodes.values().all(|node| node.host.stuck().is_empty())).await;
    cluster.close().await;
}

/// A node that is cut off by itself says so soon; one that meets an election waits for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_refuses_within_a_second_and_the_others_go_on() {
    let cluster = TestCluster::of(62, 1, 3).await;
    let shard = ShardId(0);
    let leader = cluster.leader(shard).unwrap();
    let agent = cluster.node(leader).create("alice").await;
    let others: Vec<u8> = (1..=3).filter(|number| *number != leader).collect();
    for other in &others {
        cluster.network.partition(node_id(leader), node_id(*other));
    }
    let cut = cluster.node(leader);
    cluster.until("its lease has run out", LIMIT, || cut.led.epoch(shard).is_none()).await;
    // Two nodes of three go on while the third is cut off.
    cluster.node(others[0]).accept_one(agent).await;
    for _ in 0..3 {
        let asked = std::time::Instant::now();
        let refused = cut.accept(new_task(agent)).await;
        let took = asked.elapsed();
        assert!(matches!(refused, Err(ProposeError::NoLeader(_) | ProposeError::Uncertain(_))), "{refused:?}");
        assert!(took < Duration::from_millis(2_500), "{took:?}, far below the patience of five seconds");
    }
    let asked = std::time::Instant::now();
    assert!(cut.ledger.agent(agent).await.is_err() && cut.ledger.dead_letters().await.is_err());
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    cluster.close().await;
}
