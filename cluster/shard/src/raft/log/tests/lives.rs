//! What outlives a replica.

use super::support::*;
use crate::raft::ReplicaIncarnation;
use crate::raft::types::GroupId;
use openraft::storage::{RaftLogReader, RaftLogStorage};

const GROUP: GroupId = GroupId(3);

#[tokio::test]
async fn a_replica_that_comes_back_is_bound_by_the_vote_of_the_deleted_one() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let first = host.begin(GROUP, 1).await.unwrap();
    let mut log = host.group(GROUP);
    log.save_vote(&vote(7)).await.unwrap();
    append(&mut log, vec![entry(1, 0), entry(1, 1)]).await;
    host.bury(GROUP).await.unwrap();
    assert!(host.is_buried(GROUP) && host.groups_with_data().is_empty());
    close(host).await;

    let host = open(dir.path());
    assert!(host.is_buried(GROUP), "the deletion is forgotten");
    let second = host.begin(GROUP, 1).await.unwrap();
    assert!(second > first && !host.is_buried(GROUP));
    assert_eq!(host.group(GROUP).read_vote().await.unwrap(), Some(vote(7)));
    // Deleted again before it has voted for anybody else.
    host.bury(GROUP).await.unwrap();
    let third = host.begin(GROUP, 1).await.unwrap();
    assert!(third > second);
    let mut log = host.group(GROUP);
    assert_eq!(log.read_vote().await.unwrap(), Some(vote(7)));
    log.save_vote(&vote(9)).await.unwrap();
    close(host).await;

    let host = open(dir.path());
    assert_eq!(host.begin(GROUP, 2).await.unwrap(), third, "a start alone begins no other life");
    assert_eq!(host.group(GROUP).read_vote().await.unwrap(), Some(vote(9)));
}

#[tokio::test]
async fn a_replica_of_which_nothing_is_left_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    let before: Vec<ReplicaIncarnation> = {
        let mut all = vec![host.begin(GROUP, 1).await.unwrap()];
        for _ in 0..3 {
            host.bury(GROUP).await.unwrap();
            all.push(host.begin(GROUP, 1).await.unwrap());
        }
        all
    };
    close(host).await;
    let empty = tempfile::tempdir().unwrap();
    let after = open(empty.path()).begin(GROUP, 2).await.unwrap();
    assert!(before.iter().all(|incarnation| *incarnation < after), "{before:?} {after}");
}
