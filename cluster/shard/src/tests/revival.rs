//! Groups that end by themselves are there again in a moment.

use super::clusters::{TestCluster, number};
use super::disk::{Disk, opener};
use super::failover::Chronicle;
use super::support::*;
use crate::raft::GroupId;
use octopussy_core::ids::{AgentId, ShardId, TaskId};
use octopussy_core::ports::ProposeError;
use octopussy_core::task::Command;
use octopussy_core::time::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Lets the Raft of a group panic.
async fn panic_in(node: &TestNode, group: GroupId) {
    let group = node.host.core().registry.get(group).unwrap();
    group.raft().with_raft_state(|_| panic!("a core was to panic")).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_core_panics_serves_again_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let agent = node.create("alice").await;
    let before = node.run(agent).await;
    let hurt = GroupId::of(node.shard_of(agent));
    let others: Vec<_> = node.host.core().registry.all().into_iter().filter(|group| group.id() != hurt).collect();
    for restarts in 1..=3 {
        panic_in(&node, hurt).await;
        eventually("its restart", || node.host.group_restarts() == restarts && node.leads_all()).await;
    }
    for other in &others {
        assert!(node.host.core().registry.holds(other), "another group was started anew");
    }
    // The group of the cluster itself as well.
    panic_in(&node, GroupId::CONTROL).await;
    eventually("its restart", || node.host.group_restarts() == 4).await;
    node.run(agent).await;
    assert!(node.ledger.task(before).await.unwrap().is_some());
    node.close().await;
    let node = open(dir.path()).await;
    assert!(node.ledger.task(before).await.unwrap().is_some());
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_state_machine_has_left_half_done_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let node = TestNode::alone_with(config(dir.path()), clock(), opener([("state.redb", &disk)])).await;
    // Each command reads its own agent, the first time from the store: one entry of many commands breaks off in between.
    let first: Vec<AgentId> = futures::future::join_all((0..48).map(|turn| {
        let (node, name) = (&node, format!("agent-{turn}"));
        async move { node.create(&name).await }
    }))
    .await;
    node.host.core().context.state.flush().await.unwrap();
    node.close().await;
    let node = TestNode::alone_with(config(dir.path()), clock(), opener([("state.redb", &disk)])).await;
    disk.panic_at.store(30, Ordering::SeqCst);
    let tasks: Vec<_> = first.iter().map(|agent| new_task(*agent)).collect();
    let accepted = futures::future::join_all(tasks.iter().map(|task| node.accept(task.clone()))).await;
    assert_eq!(disk.panic_at.load(Ordering::SeqCst), 0, "nothing panicked");
    eventually("its restart", || node.host.group_restarts() >= 1 && node.leads_all()).await;
    let mut there = 0;
    for (task, accepted) in tasks.iter().zip(&accepted) {
        let found = node.ledger.task(task.id).await.unwrap().is_some();
        there += usize::from(found);
        match accepted {
            Ok(_) => assert!(found, "an acknowledged task is lost"),
            // What was on its way may be there or not.
            Err(ProposeError::Uncertain(_)) => {}
            Err(error) => assert!(!found, "it is there although nothing was to be changed: {error}"),
        }
    }
    let mut waiting = 0;
    for agent in &first {
        waiting += node.ledger.waiting(*agent).await.unwrap();
    }
    assert_eq!(waiting, there, "a command was applied twice");
    node.close().await;
}

/// Accepts tasks one after the other until told to end, each until it is acknowledged.
async fn load(cluster: &TestCluster, at: u8, agent: AgentId, done: &AtomicBool) -> Vec<TaskId> {
    let node = cluster.node(at);
    let mut acknowledged = Vec::new();
    while !done.load(Ordering::SeqCst) {
        let task = new_task(agent);
        let id = task.id;
        let accept = || Command::Accept { task: Box::new(task.clone()), now: node.clock.now() };
        match node.ledger.propose(node.shard_of(agent), accept()).await {
            Ok(_) => acknowledged.push(id),
            Err(ProposeError::Uncertain(_) | ProposeError::NoLeader(_) | ProposeError::NotLeader(_)) => {}
            Err(error) => panic!("not what is true: {error}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_under_load_that_ends_loses_its_lead_and_nothing_else() {
    let cluster = TestCluster::of(33, 1, 3).await;
    let chronicle = Chronicle::of(&cluster);
    let shard = ShardId(0);
    let agent = cluster.node(1).create("alice").await;
    let done = AtomicBool::new(false);
    let at = [1, 2, 3, 1];
    let loads = futures::future::join_all(at.map(|at| load(&cluster, at, agent, &done)));
    let ends = async {
        for turn in 1..=3 {
            cluster.until("a leader", LIMIT, || cluster.leader(shard).is_some()).await;
            let ending = cluster.leader(shard).unwrap();
            let node = cluster.node(ending);
            let epoch = node.led.epoch(shard);
            if turn == 2 {
                // Stopped beneath the group instead, as by something that openraft takes for fatal.
                node.host.core().group(shard).unwrap().raft().shutdown().await.unwrap();
            } else {
                panic_in(node, GroupId::of(shard)).await;
            }
            let lost = || node.led.epoch(shard) != epoch;
            cluster.until("its silence", LIMIT, lost).await;
            let restarts = || cluster.nodes.values().map(|node| node.host.group_restarts()).sum::<u64>();
            cluster.until("its restart", LIMIT, || restarts() == turn).await;
            cluster.until("another leader", LIMIT, || cluster.leader(shard).is_some()).await;
        }
        done.store(true, Ordering::SeqCst);
    };
    let (loads, ()) = futures::join!(loads, ends);
    let acknowledged: Vec<TaskId> = loads.into_iter().flatten().collect();
    assert!(!acknowledged.is_empty());
    // All three go on, those that had ended as well: they have what came after their end.
    for node in cluster.nodes.values() {
        let state = &node.host.core().context.state;
        let has = |id: &TaskId| state.task(*id).is_ok_and(|task| task.is_some());
        cluster.until("all that was acknowledged", LIMIT, || acknowledged.iter().all(has)).await;
    }
    chronicle.check(&[]);
    let leader = cluster.node(1).ledger.leader(shard).map(number);
    assert!(leader.is_some());
    cluster.close().await;
}
