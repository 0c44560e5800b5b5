//! Disks that fail.

use super::disk::{Disk, opener};
use super::support::*;
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
