//! Clusters that grow and shrink.

use super::clusters::{MOVE, TestCluster};
use super::support::*;
use octopussy_control::ControlCommand;
use octopussy_core::ids::TaskId;
use octopussy_core::ports::{AgentQuery, MemberDesired, TaskQuery};
use octopussy_core::task::TaskState;
use octopussy_core::time::Clock;
use std::time::Duration;

async fn assert_all_succeeded(node: &TestNode, tasks: &[TaskId]) {
    for id in tasks {
        let task = node.ledger.task(*id).await.unwrap().unwrap_or_else(|| panic!("task {id} is lost"));
        assert_eq!(task.state, TaskState::Succeeded);
    }
}

/// Few shards move at once, and yet all that have to are counted, by every node alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_yet_to_move_is_counted_until_nothing_has() {
    let mut cluster = TestCluster::found(14, 12).await;
    assert_eq!(cluster.node(1).host.rebalance(), 0);
    cluster.join(2).await;
    let begun = octopussy_placement::Limits::default().max_moves;
    for node in cluster.nodes.values() {
        let counted = node.host.rebalance();
        assert!(counted > begun && counted <= 12, "{counted} of 12 shards are counted; {begun} move at once");
    }
    cluster.settled().await;
    for (number, node) in &cluster.nodes {
        assert_eq!(node.host.rebalance(), 0, "node {number} still counts moves");
    }
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_and_every_node_serves() {
    let mut cluster = TestCluster::found(11, 4).await;
    let mut tasks = Vec::new();
    let mut agents = Vec::new();
    for name in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        let agent = cluster.node(1).create(name).await;
        agents.push(agent);
        tasks.push(cluster.node(1).run(agent).await);
    }
    for number in [2, 3] {
        cluster.join(number).await;
        cluster.settled().await;
        for node in cluster.nodes.values() {
            assert_all_succeeded(node, &tasks).await;
        }
    }
    let leaders: std::collections::BTreeSet<_> = cluster.shards().filter_map(|shard| cluster.leader(shard)).collect();
    assert!(leaders.len() > 1, "one node leads everything: {leaders:?}");
    // From a node that may not lead the agent, the acceptance is forwarded.
    for (number, agent) in (1..=3).cycle().zip(&agents) {
        let task = cluster.node(number).accept_one(*agent).await;
        for node in cluster.nodes.values() {
            assert_eq!(node.ledger.task(task).await.unwrap().unwrap().state, TaskState::Accepted);
        }
    }
    let ids = async |number: u8| -> Vec<TaskId> {
        let page = cluster.node(number).ledger.tasks(&TaskQuery::default()).await.unwrap();
        page.items.iter().map(|task| task.id).collect()
    };
    let (first, second, third) = (ids(1).await, ids(2).await, ids(3).await);
    assert_eq!(first.len(), 12);
    assert!(first == second && second == third, "listings differ");
    let mut names = Vec::new();
    for node in cluster.nodes.values() {
        let page = node.ledger.agents(&AgentQuery { after: None, limit: 4 }).await.unwrap();
        assert!(page.more && page.items.len() == 4);
        names.push(page.items.iter().map(|agent| agent.id).collect::<Vec<_>>());
    }
    assert!(names.windows(2).all(|pair| pair[0] == pair[1]));
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_moves_everything_off_a_node() {
    let mut cluster = TestCluster::of(12, 2, 3).await;
    cluster.join(4).await;
    let agent = cluster.node(1).create("alice").await;
    let task = cluster.node(1).accept_one(agent).await;
    let leaving = cluster.leader(cluster.node(1).shard_of(agent)).unwrap();
    let node = node_id(leaving);
    let command = ControlCommand::SetDesired {
        node,
        desired: MemberDesired::Draining,
        now: cluster.node(1).clock.now(),
        by: octopussy_control::AskedBy::UNTOLD,
    };
    cluster.node(1).host.propose_control_for(admin(), command).await.unwrap();
    cluster
        .until("the draining", MOVE, || {
            let state = cluster.node(leaving).host.control();
            let places = state.table.iter();
            places.filter(|place| place.target.is_some() || place.current.voters.contains(&node)).count() == 0
                && cluster.node(leaving).host.groups().len() == 1
                && cluster.shards().all(|shard| cluster.leader(shard).is_some_and(|leader| leader != leaving))
        })
        .await;
    for node in cluster.nodes.values() {
        assert_eq!(node.ledger.task(task).await.unwrap().unwrap().state, TaskState::Accepted);
    }
    let ended = cluster.node(leaving).ledger.await_end(task, Duration::from_millis(20)).await.unwrap().unwrap();
    assert_eq!(ended.state, TaskState::Accepted);
    cluster.close().await;
}
