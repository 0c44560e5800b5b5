//! Many groups, one disk.

use super::super::line::LINE_BYTES;
use super::support::*;
use crate::raft::types::GroupId;
use openraft::storage::RaftLogStorage;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_that_append_together_share_syncs() {
    const GROUPS: u16 = 64;
    const APPENDS: u64 = 20;
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let before = disk.commits.load(Ordering::SeqCst);
    let groups = (0..GROUPS).map(|group| {
        let mut log = host.group(GroupId(group));
        tokio::spawn(async move {
            log.save_vote(&vote(1)).await.unwrap();
            for index in 0..APPENDS {
                append(&mut log, vec![entry(1, index)]).await;
                log.save_committed(Some(id(1, index))).await.unwrap();
            }
        })
    });
    for group in groups.collect::<Vec<_>>() {
        within(group).await.unwrap();
    }
    let commits = disk.commits.load(Ordering::SeqCst) - before;
    let writes = u64::from(GROUPS) * (APPENDS + 1);
    assert!(commits * 4 < writes, "{writes} writes took {commits} commits");
    for group in 0..GROUPS {
        assert_eq!(ids(&host.group(GroupId(group))).await.len() as u64, APPENDS);
    }
}

#[tokio::test]
async fn a_full_line_makes_callers_wait() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    disk.stalled.store(true, Ordering::SeqCst);
    let line = &host.shared().line;
    let mut log = host.group(GroupId(1));
    let large = LINE_BYTES / 8;
    let mut waiting = Vec::new();
    for index in 0..7 {
        waiting.push(begin_append(&mut log, vec![entry_of(1, index, large)]).await);
    }
    let mut other = host.group(GroupId(2));
    let next = tokio::spawn(async move {
        let done = begin_append(&mut other, vec![entry_of(1, 0, 2 * large)]).await;
        done.await
    });
    // It cannot get in line, and so nobody sees its entry.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!next.is_finished());
    assert_eq!(host.group(GroupId(2)).last(), None);
    assert!(line.used() <= LINE_BYTES);
    disk.stalled.store(false, Ordering::SeqCst);
    for done in waiting {
        assert!(within(done).await);
    }
    assert!(within(next).await.unwrap());
    assert_eq!(host.group(GroupId(2)).last(), Some(id(1, 0)));
    eventually("the line to be empty", || line.used() == 0).await;
    // Larger than the whole line: it goes alone.
    append(&mut log, vec![entry_of(1, 7, LINE_BYTES + 1)]).await;
}
