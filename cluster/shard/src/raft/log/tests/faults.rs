//! Disks that fail.

use super::support::*;
use crate::raft::types::GroupId;
use octopussy_core::ports::ProposeError;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    // A commit that fails may have landed or not.
    for lands in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::default());
        disk.lands.store(lands, Ordering::SeqCst);
        let host = open_on(dir.path(), &disk);
        let mut logs: Vec<_> = (0..8).map(|group| host.group(GroupId(group))).collect();
        for log in &mut logs {
            append(log, (0..5).map(|index| entry(1, index)).collect()).await;
        }
        disk.full.store(true, Ordering::SeqCst);
        let (mut waiting, mut truncated) = (Vec::new(), Vec::new());
        for log in &mut logs {
            waiting.push(begin_append(log, vec![entry(1, 5), entry(1, 6)]).await);
            truncated.push(begin_truncate(log, id(1, 4)).await);
            waiting.push(begin_append(log, vec![entry(2, 5)]).await);
        }
        let mut voter = logs[0].clone();
        let voting = tokio::spawn(async move { voter.save_vote(&vote(9)).await });
        eventually("the failure", || matches!(host.health(), Err(ProposeError::DiskFull))).await;
        assert_eq!(ids(&logs[3]).await.last(), Some(&id(2, 5)), "reading goes on");
        assert!(!voting.is_finished());
        disk.full.store(false, Ordering::SeqCst);
        for done in waiting {
            assert!(within(done).await, "openraft hears nothing of the failure");
        }
        for done in truncated {
            within(done).await.unwrap();
        }
        within(voting).await.unwrap().unwrap();
        host.health().unwrap();
        drop(host);
        let host = open(dir.path());
        let expected: Vec<_> = (0..5).map(|index| id(1, index)).chain([id(2, 5)]).collect();
        for group in 0..8 {
            assert_eq!(ids(&host.group(GroupId(group))).await, expected);
        }
        assert_eq!(host.group(GroupId(0)).read_vote().await.unwrap(), Some(vote(9)));
    }
}

#[tokio::test]
async fn closing_while_the_disk_is_full_releases_those_who_wait() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let mut log = host.group(GroupId(1));
    append(&mut log, vec![entry(1, 0)]).await;
    disk.full.store(true, Ordering::SeqCst);
    let done = begin_append(&mut log, vec![entry(1, 1)]).await;
    let mut voter = log.clone();
    let voting = tokio::spawn(async move { voter.save_vote(&vote(2)).await });
    eventually("the failure", || host.health().is_err()).await;
    // This one is in line behind what the writer tries to write.
    let behind = begin_append(&mut log, vec![entry(1, 2)]).await;
    assert!(host.close(Duration::from_secs(10)).await);
    assert!(!within(done).await);
    assert!(!within(behind).await);
    assert!(within(voting).await.unwrap().is_err());
    drop(host);
    disk.full.store(false, Ordering::SeqCst);
    let host = open(dir.path());
    assert_eq!(ids(&host.group(GroupId(1))).await, [id(1, 0)]);
}

#[tokio::test]
async fn dropping_while_the_disk_is_full_ends() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let mut log = host.group(GroupId(1));
    disk.full.store(true, Ordering::SeqCst);
    let done = begin_append(&mut log, vec![entry(1, 0)]).await;
    eventually("the failure", || host.health().is_err()).await;
    drop(host);
    assert!(!within(done).await);
    assert_eq!(open(dir.path()).groups_with_data(), []);
}
