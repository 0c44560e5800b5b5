use super::*;
use crate::cluster::control_group::AloneInMemory;
use octopussy_control::{ClusterRecord, MemberRecord, VersionRange};
use octopussy_core::ids::ShardCount;
use octopussy_core::ports::MemberDesired;
use octopussy_core::time::Timestamp;
use std::time::Duration;

const ME: NodeId = NodeId([1; 16]);
const FULL: NodeId = NodeId([2; 16]);
const GUEST: NodeId = NodeId([3; 16]);
const STRANGER: NodeId = NodeId([4; 16]);

fn member(id: NodeId, role: MemberRole) -> MemberRecord {
    MemberRecord {
        id,
        name: format!("n{}", id.0[0]),
        addresses: Vec::new(),
        role,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::EPOCH,
    }
}

fn control() -> ControlState {
    let shards = ShardCount::new(1).unwrap();
    let cluster = ClusterRecord { id: "c".to_owned(), shards, replication: 3, founded_at: Timestamp::EPOCH };
    let members = [(ME, MemberRole::Full), (FULL, MemberRole::Full), (GUEST, MemberRole::Guest)];
    ControlState {
        cluster: Some(cluster),
        members: members.into_iter().map(|(id, role)| (id, member(id, role))).collect(),
        ..ControlState::default()
    }
}

#[test]
fn the_own_copy_and_the_word_of_full_members_count_and_nobody_elses() {
    let mut control = control();
    assert!(!is_removed(ME, &control, &BTreeSet::new()));
    assert!(!is_removed(ME, &control, &[GUEST, STRANGER].into()));
    assert!(is_removed(ME, &control, &[GUEST, FULL].into()));
    control.departed.insert(FULL, Timestamp::EPOCH);
    control.members.remove(&FULL);
    assert!(!is_removed(ME, &control, &[FULL].into()), "the word of one that was removed itself");
    control.departed.insert(ME, Timestamp::EPOCH);
    assert!(is_removed(ME, &control, &BTreeSet::new()));
    assert!(is_removed(ME, &ControlState::default(), &[STRANGER].into()), "nobody is known yet");
}

fn home() -> (tempfile::TempDir, ClusterHome) {
    let folder = tempfile::tempdir().unwrap();
    let home = ClusterHome::of(folder.path());
    let member = Membership {
        cluster: "c".to_owned(),
        name: "attic".to_owned(),
        role: MemberRole::Full,
        founder: false,
        capacity: None,
        zone: None,
        settled: true,
        removed: false,
    };
    home.set_membership(&member).unwrap();
    (folder, home)
}

#[tokio::test]
async fn a_node_that_hears_of_its_removal_writes_it_down_and_says_so() {
    let (_folder, home) = home();
    let told = watch::Sender::new(BTreeSet::new());
    let removal =
        Removal { node: ME, home: home.clone(), group: AloneInMemory::new(control()), forgotten_by: told.subscribe() };
    let (removed, stopping) = (CancellationToken::new(), CancellationToken::new());
    let running = tokio::spawn(removal.run(removed.clone(), stopping));
    told.send_modify(|told| _ = told.insert(GUEST));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), removed.cancelled()).await.is_err(),
        "a guest was believed"
    );
    assert!(!home.membership().unwrap().unwrap().removed);
    told.send_modify(|told| _ = told.insert(FULL));
    tokio::time::timeout(Duration::from_secs(10), removed.cancelled()).await.unwrap();
    assert!(home.membership().unwrap().unwrap().removed, "it was said before it was written down");
    running.await.unwrap();
}

#[tokio::test]
async fn a_node_that_stops_is_not_removed() {
    let (_folder, home) = home();
    let told = watch::Sender::new(BTreeSet::new());
    let group = AloneInMemory::new(control());
    let removal = Removal { node: ME, home: home.clone(), group, forgotten_by: told.subscribe() };
    let (removed, stopping) = (CancellationToken::new(), CancellationToken::new());
    stopping.cancel();
    removal.run(removed.clone(), stopping).await;
    assert!(!removed.is_cancelled());
    assert!(!home.membership().unwrap().unwrap().removed);
}
