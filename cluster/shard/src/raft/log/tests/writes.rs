//! The order of writes, what is seen of them, and what is left after closing.

use super::super::keys::{self, Record};
use super::support::*;
use crate::raft::types::GroupId;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const GROUP: GroupId = GroupId(3);

#[test]
fn keys_keep_the_order_of_groups_and_indexes() {
    let keys: Vec<Vec<u8>> = [(0, 0), (0, 255), (0, 256), (0, u64::MAX), (1, 0), (256, 7), (u16::MAX, 1)]
        .map(|(group, index)| keys::entry(GroupId(group), index))
        .into();
    assert!(keys.is_sorted());
    assert_eq!(keys::parse_entry(&keys[5]), Some((GroupId(256), 7)));
    for record in Record::ALL {
        assert_eq!(Record::parse(&record.key(GroupId(515))), Some((GroupId(515), record)));
    }
    assert_eq!(Record::parse(b"format"), None);
}

#[tokio::test]
async fn everything_is_there_after_closing() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let mut log = host.group(GROUP);
    log.save_vote(&vote(4)).await.unwrap();
    append(&mut log, (0..20).map(|index| entry(2, index)).collect()).await;
    log.save_committed(Some(id(2, 15))).await.unwrap();
    log.purge(id(2, 4)).await.unwrap();
    log.truncate_after(Some(id(2, 17))).await.unwrap();
    let seen = entries(&log).await;
    close(host).await;

    let host = open(dir.path());
    let mut log = host.group(GROUP);
    assert_eq!(entries(&log).await, seen);
    assert_eq!(seen.len(), 13);
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(4)));
    assert_eq!(log.read_committed().await.unwrap(), Some(id(2, 15)));
    assert_eq!((log.purged(), log.last()), (Some(id(2, 4)), Some(id(2, 17))));
    assert_eq!(host.groups_with_data(), [GROUP]);
    assert!(host.size_on_disk().unwrap() > 0);
    assert_eq!(stored(&host, GROUP), (5..18).collect::<Vec<_>>(), "what was purged is deleted");
}

#[tokio::test]
async fn entries_can_be_read_before_they_are_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let mut log = host.group(GROUP);
    disk.stalled.store(true, Ordering::SeqCst);
    let done = begin_append(&mut log, vec![entry(1, 0), entry(1, 1)]).await;
    assert_eq!(ids(&log).await, [id(1, 0), id(1, 1)]);
    assert_eq!(log.limited_get_log_entries(1, 2).await.unwrap(), [entry(1, 1)]);
    disk.stalled.store(false, Ordering::SeqCst);
    assert!(within(done).await);
}

#[tokio::test]
async fn a_truncated_entry_never_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let mut log = host.group(GROUP);
    append(&mut log, (0..5).map(|index| entry(1, index)).collect()).await;
    disk.stalled.store(true, Ordering::SeqCst);
    // All of this is in line at once.
    let first = begin_append(&mut log, (5..10).map(|index| entry(1, index)).collect()).await;
    let truncated = begin_truncate(&log, id(1, 2)).await;
    assert_eq!(ids(&log).await, [id(1, 0), id(1, 1), id(1, 2)]);
    let second = begin_append(&mut log, vec![entry(2, 3), entry(2, 4)]).await;
    let expected = [id(1, 0), id(1, 1), id(1, 2), id(2, 3), id(2, 4)];
    assert_eq!(ids(&log).await, expected);
    disk.stalled.store(false, Ordering::SeqCst);
    assert!(within(first).await && within(second).await);
    within(truncated).await.unwrap();
    assert_eq!(ids(&log).await, expected);
    drop(host);
    let host = open(dir.path());
    assert_eq!(ids(&host.group(GROUP)).await, expected);
    assert_eq!(stored(&host, GROUP), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn an_entry_out_of_order_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let mut log = host.group(GROUP);
    append(&mut log, vec![entry(1, 0), entry(1, 1)]).await;
    for wrong in [vec![entry(1, 1)], vec![entry(1, 3)], vec![entry(1, 2), entry(1, 4)]] {
        let refused = log.append(wrong, openraft::storage::IOFlushed::noop()).await;
        assert!(refused.is_err(), "a gap or an overlap was appended");
    }
    append(&mut log, vec![entry(1, 2)]).await;
    assert_eq!(ids(&log).await, [id(1, 0), id(1, 1), id(1, 2)]);
}

#[tokio::test]
async fn an_idle_node_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let mut log = host.group(GROUP);
    append(&mut log, (0..10).map(|index| entry(1, index)).collect()).await;
    let commits = || disk.commits.load(Ordering::SeqCst);
    let written = commits();
    log.save_committed(Some(id(1, 9))).await.unwrap();
    let noted = Instant::now();
    // A purge is written within a second or so, once, and takes with it what is committed.
    log.purge(id(1, 5)).await.unwrap();
    eventually("the purge", || commits() == written + 1).await;
    assert!(noted.elapsed() >= Duration::from_millis(900), "a purge that nobody waits for is kept back");
    assert_eq!(stored(&host, GROUP), [6, 7, 8, 9]);
    log.save_committed(Some(id(1, 9))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(commits(), written + 1, "what is committed is not worth a write of its own");
    drop(host);
    assert_eq!(open(dir.path()).group(GROUP).read_committed().await.unwrap(), Some(id(1, 9)));
}

#[tokio::test]
async fn a_long_purge_is_deleted_in_pieces_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let mut log = host.group(GROUP);
    append(&mut log, (0..10_000).map(|index| entry(1, index)).collect()).await;
    log.purge(id(1, 9_989)).await.unwrap();
    // The next write takes the purge with it, but only so much of the deleting.
    append(&mut log, vec![entry(1, 10_000)]).await;
    let left = stored(&host, GROUP).len();
    assert!((11..=10_000 - 4_096 + 1).contains(&left), "{left} entries left after one piece");
    drop(host);
    let host = open(dir.path());
    assert_eq!(ids(&host.group(GROUP)).await.len(), 11, "what is purged is not seen");
    eventually("the rest of the purge", || stored(&host, GROUP).len() == 11).await;
}

#[tokio::test]
async fn a_removed_group_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let (mut log, mut other) = (host.group(GROUP), host.group(GroupId(4)));
    log.save_vote(&vote(7)).await.unwrap();
    append(&mut log, (0..10_000).map(|index| entry(1, index)).collect()).await;
    append(&mut other, vec![entry(1, 0)]).await;
    log.save_committed(Some(id(1, 9_000))).await.unwrap();
    log.purge(id(1, 9_000)).await.unwrap();
    host.bury(GROUP).await.unwrap();
    assert_eq!(host.groups_with_data(), [GroupId(4)]);
    assert_eq!((log.last(), log.purged(), log.vote()), (None, None, None));
    // It comes back with indexes that were still to be swept.
    append(&mut log, (8_000..8_020).map(|index| entry(9, index)).collect()).await;
    append(&mut other, vec![entry(1, 1)]).await;
    append(&mut log, vec![entry(9, 8_020)]).await;
    let expected: Vec<_> = (8_000..8_021).map(|index| id(9, index)).collect();
    assert_eq!(ids(&log).await, expected);
    close(host).await;
    let host = open(dir.path());
    let mut log = host.group(GROUP);
    assert_eq!(ids(&log).await, expected);
    assert_eq!(log.read_committed().await.unwrap(), None);
    assert_eq!(log.read_vote().await.unwrap(), None);
}

#[tokio::test]
async fn a_closed_log_refuses_and_tells_those_who_wait() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let mut log = host.group(GROUP);
    disk.stalled.store(true, Ordering::SeqCst);
    let done = begin_append(&mut log, vec![entry(1, 0)]).await;
    assert!(!host.close(Duration::from_millis(50)).await, "a stalled disk cannot be closed in time");
    assert!(log.save_vote(&vote(1)).await.is_err());
    disk.stalled.store(false, Ordering::SeqCst);
    assert!(within(done).await, "what was in line is written");
    assert!(host.close(Duration::from_secs(10)).await);
    let refused = log.append(vec![entry(1, 1)], openraft::storage::IOFlushed::noop()).await;
    assert!(refused.is_err());
    drop(host);
    assert_eq!(ids(&open(dir.path()).group(GROUP)).await, [id(1, 0)]);
}
