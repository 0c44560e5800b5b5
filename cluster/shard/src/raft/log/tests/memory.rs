//! What stays in memory, and what is read from the store.

use super::super::group_log::READ_BYTES;
use super::super::writer::{CACHE_BYTES, GROUP_CACHE_BYTES};
use super::support::*;
use crate::raft::types::GroupId;
use futures::TryStreamExt;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const ENTRY: usize = 64 * 1024;

fn cached(host: &super::super::LogHost, group: u16) -> usize {
    host.shared().group(GroupId(group)).state.lock().window.bytes()
}

#[tokio::test]
async fn recent_entries_are_in_memory_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    // Twelve groups with three quarters of a group's bound each: more than there may be in all.
    let count = (GROUP_CACHE_BYTES * 3 / 4 / ENTRY) as u64;
    for group in 0..12 {
        let mut log = host.group(GroupId(group));
        for index in 0..count {
            append(&mut log, vec![entry_of(1, index, ENTRY)]).await;
        }
    }
    eventually("the bound of all groups", || (0..12).map(|group| cached(&host, group)).sum::<usize>() <= CACHE_BYTES)
        .await;
    assert_eq!(cached(&host, 0), 0, "the oldest are gone");
    assert!(cached(&host, 11) > GROUP_CACHE_BYTES / 2, "the newest are there");
    let cold = || host.shared().cold_reads.load(Ordering::Relaxed);
    assert_eq!(host.group(GroupId(11)).limited_get_log_entries(0, count).await.unwrap()[0], entry_of(1, 0, ENTRY));
    assert_eq!(cold(), 0, "recent entries are not read from the store");
    assert_eq!(host.group(GroupId(0)).limited_get_log_entries(0, count).await.unwrap()[0], entry_of(1, 0, ENTRY));
    assert_eq!(cold(), 1);
}

#[tokio::test]
async fn one_group_keeps_to_its_own_bound() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let count = (GROUP_CACHE_BYTES * 2 / ENTRY) as u64;
    let mut log = host.group(GroupId(1));
    for index in 0..count {
        append(&mut log, vec![entry_of(1, index, ENTRY)]).await;
    }
    eventually("the bound of a group", || cached(&host, 1) <= GROUP_CACHE_BYTES).await;
    assert!(cached(&host, 1) > GROUP_CACHE_BYTES - 2 * ENTRY, "no more is dropped than must be");
    // Half of it is read from the store, half from memory, without a seam.
    let all = entries(&log).await;
    assert_eq!(all.len() as u64, count);
    assert!(all.iter().zip(0..).all(|(found, index)| *found == entry_of(1, index, ENTRY)));
    log.purge(id(1, count - 2)).await.unwrap();
    assert!(cached(&host, 1) < 2 * ENTRY, "what is purged is dropped from memory");
}

#[tokio::test]
async fn what_is_not_on_the_disk_yet_stays_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let host = open_on(dir.path(), &disk);
    let mut log = host.group(GroupId(1));
    disk.stalled.store(true, Ordering::SeqCst);
    let first = begin_append(&mut log, vec![entry_of(1, 0, ENTRY)]).await;
    eventually("the writer to take it", || host.shared().line.is_empty()).await;
    let count = (GROUP_CACHE_BYTES * 2 / ENTRY) as u64;
    let second = begin_append(&mut log, (1..count).map(|index| entry_of(1, index, ENTRY)).collect()).await;
    disk.passes.store(1, Ordering::SeqCst);
    assert!(within(first).await);
    eventually("the first entry to leave", || host.shared().group(log.id()).state.lock().window.first() == Some(1))
        .await;
    let all = entries(&log).await;
    assert!(all.iter().map(|entry| entry.log_id.index).eq(0..count));
    disk.stalled.store(false, Ordering::SeqCst);
    assert!(within(second).await);
    eventually("the bound of a group", || cached(&host, 1) <= GROUP_CACHE_BYTES).await;
}

#[tokio::test]
async fn limited_reads_are_limited_and_never_empty() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let mut log = host.group(GroupId(1));
    for index in 0..40 {
        append(&mut log, vec![entry_of(1, index, ENTRY)]).await;
    }
    append(&mut log, vec![entry_of(1, 40, READ_BYTES + 1)]).await;
    close(host).await;
    let reopened = open(dir.path());
    let mut log = reopened.group(GroupId(1));
    append(&mut log, (41..81).map(|index| entry_of(1, index, ENTRY)).collect()).await;
    append(&mut log, vec![entry_of(1, 81, READ_BYTES + 1)]).await;
    // Once from the store, once from memory.
    for (start, end) in [(0, 41), (41, 82)] {
        let some = log.limited_get_log_entries(start, end).await.unwrap();
        let expected = READ_BYTES / ENTRY;
        assert!((expected - 1..=expected + 1).contains(&some.len()), "{} entries at once", some.len());
        assert_eq!(some[0].log_id.index, start);
        assert_eq!(log.limited_get_log_entries(end - 1, end).await.unwrap().len(), 1, "a large one comes alone");
    }
    let seam = log.limited_get_log_entries(39, 45).await.unwrap();
    assert_eq!(seam[0].log_id.index, 39);
    let streamed: Vec<_> = log.entries_stream(3..200).await.try_collect().await.unwrap();
    assert!(streamed.iter().map(|entry| entry.log_id.index).eq(3..82), "a stream has everything");
    assert!(log.limited_get_log_entries(100, 200).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_entry_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let mut log = host.group(GroupId(1));
    append(&mut log, (0..10).map(|index| entry(1, index)).collect()).await;
    close(host).await;
    {
        let store = octopussy_store::open(&dir.path().join("log"), options()).unwrap();
        let mut batch = octopussy_store::Batch::new();
        batch.delete(octopussy_store::Keyspace::Log, super::super::keys::entry(GroupId(1), 5));
        store.commit(&batch, octopussy_store::Durability::Fsync).unwrap();
    }
    let host = open(dir.path());
    let mut log = host.group(GroupId(1));
    assert!(log.try_get_log_entries(0..10).await.is_err());
    assert!(log.limited_get_log_entries(5, 7).await.is_err());
    assert_eq!(log.try_get_log_entries(0..5).await.unwrap().len(), 5);
    assert_eq!(log.try_get_log_entries(6..10).await.unwrap().len(), 4);
}
