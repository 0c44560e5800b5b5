//! Disks that fail.

use super::clusters::{MOVE, TestCluster};
use super::disk::{Disk, opener};
use super::support::*;
use octopussy_core::ids::TaskId;
use octopussy_core::ports::ProposeError;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_full_disk_refuses_and_heals_by_itself() {
    for name in ["log", "state.redb"] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::default());
        let node = TestNode::alone_with(config(dir.path()), clock(), opener([(name, &disk)])).await;
        let agent = node.create("alice").await;
        let mut acknowledged = vec![node.run(agent).await];
        disk.full.store(true, Ordering::SeqCst);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let task = new_task(agent);
            let id = task.id;
            match node.accept(task).await {
                Ok(_) => acknowledged.push(id),
                Err(error) => {
                    assert!(matches!(error, ProposeError::DiskFull), "{error:?}");
                    break;
                }
            }
            assert!(std::time::Instant::now() < deadline, "{name}: a full disk was not noticed");
            if node.led.waiting(agent) > 500 {
                // Room for the next: the state store notices at its next flush only.
                let next = node.led.next_task(agent).unwrap().id;
                let _ = node.begin(next).await;
            }
            tokio::task::yield_now().await;
        }
        assert!(matches!(node.ledger.health(), Err(ProposeError::DiskFull)));
        for id in &acknowledged {
            assert!(node.ledger.task(*id).await.unwrap().is_some(), "{name}: reading goes on");
        }
        disk.full.store(false, Ordering::SeqCst);
        eventually("the recovery", || node.ledger.health().is_ok()).await;
        acknowledged.push(node.run(agent).await);
        node.close().await;
        let node = open(dir.path()).await;
        for id in &acknowledged {
            assert!(node.ledger.task(*id).await.unwrap().is_some(), "{name}: an acknowledged task is lost");
        }
    }
}

#[tokio::test]
async fn stopping_while_the_disk_is_full_ends() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let node = TestNode::alone_with(config(dir.path()), clock(), opener([("log", &disk)])).await;
    let agent = node.create("alice").await;
    disk.full.store(true, Ordering::SeqCst);
    assert!(matches!(node.accept(new_task(agent)).await, Err(ProposeError::DiskFull)));
    node.close().await;
    let node = open(dir.path()).await;
    assert!(node.ledger.agent(agent).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_room_gives_its_leaderships_away_and_catches_up_later() {
    let cluster = TestCluster::of(31, 6, 3).await;
    let disk = Arc::clone(&cluster.disks(1).log);
    let led_by_1 = |cluster: &TestCluster| cluster.shards().filter(|shard| cluster.leader(*shard) == Some(1)).count();
    cluster.until("the node to lead its share", MOVE, || led_by_1(&cluster) > 0).await;
    let mut agents = Vec::new();
    for number in 0..12 {
        agents.push(cluster.node(2).create(&format!("agent-{number}")).await);
    }

    disk.full.store(true, Ordering::SeqCst);
    let mut tasks = Vec::new();
    for agent in &agents {
        let task = new_task(*agent);
        tasks.push(task.id);
        // The node that is just losing its disk may say so; whoever repeats the request finds the next leader.
        let deadline = std::time::Instant::now() + LIMIT;
        while let Err(error) = cluster.node(2).accept(task.clone()).await {
            assert!(std::time::Instant::now() < deadline, "not taken: {error}");
        }
    }
    cluster
        .until("the leaderships to go", LIMIT, || {
            led_by_1(&cluster) == 0 && cluster.shards().all(|shard| cluster.leader(shard).is_some())
        })
        .await;
    assert!(matches!(cluster.node(1).ledger.health(), Err(ProposeError::DiskFull)));
    // Nor does it get any back while it cannot write; and it finds the leaders for whoever asks it.
    for agent in &agents {
        tasks.push(cluster.node(1).accept_one(*agent).await);
        assert_eq!(led_by_1(&cluster), 0);
    }

    disk.full.store(false, Ordering::SeqCst);
    cluster.until("the node to lead its share again", MOVE, || led_by_1(&cluster) > 0).await;
    let has = |task: &TaskId| cluster.node(1).host.core().context.state.task(*task).is_ok_and(|task| task.is_some());
    cluster.until("the node to have everything", LIMIT, || tasks.iter().all(has)).await;
    cluster.close().await;
}
