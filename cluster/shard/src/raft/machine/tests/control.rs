//! The control group's state.

use super::support::*;
use crate::raft::GroupId;
use octopussy_control::ControlCommand;
use octopussy_core::ports::MemberDesired;
use openraft::storage::{RaftSnapshotBuilder, RaftStateMachine};
use std::time::Duration;

fn drain(index: u64) -> super::support::Entry {
    control_entry(
        index,
        vec![ControlCommand::SetDesired {
            node: ME,
            desired: MemberDesired::Draining,
            now: now(),
            by: octopussy_control::AskedBy::UNTOLD,
        }],
    )
}

#[tokio::test]
async fn what_the_control_group_agrees_on_is_published_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let host = super::super::StateHost::open(seldom(dir.path())).unwrap();
    let mut watch = host.watch_control();
    assert!(watch.borrow_and_update().cluster.is_none());
    assert_eq!((host.shards(), host.groups()), (None, Vec::new()));
    let mut control = host.control();
    apply_all(&mut control, [membership(0, &[ME]), found(1), blank(2)]).await;
    watch.changed().await.unwrap();
    let state = watch.borrow_and_update().clone();
    assert!(state.members.contains_key(&ME));
    assert_eq!((host.shards(), host.groups()), (Some(count()), vec![GroupId::CONTROL]));
    let applied = control.applied_state().await.unwrap();
    assert_eq!(applied.0, Some(id(TERM, 2)));
    assert!(host.close(Duration::from_secs(10)).await);
    drop(host);
    let host = super::super::StateHost::open(seldom(dir.path())).unwrap();
    assert_eq!(*host.watch_control().borrow(), state);
    assert_eq!(host.control().applied_state().await.unwrap(), applied);
    assert_eq!(host.durable(GroupId::CONTROL), Some(id(TERM, 2)));
}

#[tokio::test]
async fn a_snapshot_of_the_control_group_takes_the_place_of_its_log() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = super::super::StateHost::open(seldom(here.path())).unwrap();
    let to = super::super::StateHost::open(seldom(there.path())).unwrap();
    let mut control = from.control();
    assert!(control.get_current_snapshot().await.unwrap().is_none());
    apply_all(&mut control, [membership(0, &[ME]), found(1), drain(2)]).await;
    let built = control.get_snapshot_builder().await.build_snapshot().await.unwrap();
    assert_eq!(built.meta.last_log_id, Some(id(TERM, 2)));
    apply_all(&mut control, [blank(3)]).await;
    let (meta, file) = transfer(&mut control, &to, GroupId::CONTROL).await;
    assert_eq!(meta.last_log_id, Some(id(TERM, 2)), "what is stored");
    let mut installed = to.control();
    installed.install_snapshot(&meta, file).await.unwrap();
    assert_eq!(*to.watch_control().borrow(), *from.watch_control().borrow());
    assert_eq!(to.shards(), Some(count()));
    assert_eq!(installed.applied_state().await.unwrap(), (meta.last_log_id, meta.last_membership.clone()));
    assert_eq!(to.durable(GroupId::CONTROL), meta.last_log_id, "it is stored before the log is dropped");
    let files = std::fs::read_dir(there.path().join("snapshots")).unwrap().count();
    assert_eq!(files, 0, "no file is left over");
}

fn token(index: u64) -> super::support::Entry {
    let secret = [u8::try_from(index).unwrap()];
    control_entry(index, vec![crate::tests::support::join_token(&secret, ME, now()).0])
}

#[tokio::test]
async fn readers_keep_what_an_earlier_replica_had_until_the_next_one_has_as_much() {
    let dir = tempfile::tempdir().unwrap();
    let host = super::super::StateHost::open(seldom(dir.path())).unwrap();
    let mut control = host.control();
    apply_all(&mut control, [membership(0, &[ME]), found(1), token(2)]).await;
    let known = host.watch_control().borrow().clone();
    host.reset_control().await.unwrap();
    assert_eq!(control.applied_state().await.unwrap(), Default::default(), "for its Raft there is nothing");
    assert_eq!((host.groups(), host.durable(GroupId::CONTROL)), (Vec::new(), None));
    assert_eq!(*host.watch_control().borrow(), known);
    assert!(host.close(Duration::from_secs(10)).await);
    drop(host);

    let host = super::super::StateHost::open(seldom(dir.path())).unwrap();
    let mut control = host.control();
    assert_eq!((host.watch_control().borrow().clone(), host.shards()), (known.clone(), Some(count())));
    apply_all(&mut control, [membership(0, &[ME]), found(1)]).await;
    assert_eq!(*host.watch_control().borrow(), known, "it has come half the way");
    apply_all(&mut control, [token(2)]).await;
    assert_eq!(*host.watch_control().borrow(), known);
    // From here on nothing is held back.
    apply_all(&mut control, [token(3)]).await;
    assert!(host.watch_control().borrow().version >= known.version);
    host.reset_control().await.unwrap();
    apply_all(&mut control, [membership(0, &[ME]), found(1)]).await;
    host.trust_control();
    assert!(host.watch_control().borrow().version < known.version, "the leader has no more than that");
    assert!(host.close(Duration::from_secs(10)).await);
    drop(host);
    let host = super::super::StateHost::open(seldom(dir.path())).unwrap();
    assert!(host.watch_control().borrow().version < known.version);
}
