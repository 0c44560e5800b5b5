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
const OTHERS: [NodeId; 2] = [NodeId([5; 16]), NodeId([6; 16])];

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

fn judged(control: &ControlState, introduced: &BTreeSet<NodeId>, told_by: &[NodeId], there: &[NodeId]) -> Verdict {
    verdict(ME, control, introduced, &told_by.iter().copied().collect(), |node| there.contains(&node))
}

#[test]
fn the_own_copy_and_the_word_of_full_members_count_and_nobody_elses() {
    let mut control = control();
    let says = |control: &ControlState, told_by: &[NodeId]| {
        judged(control, &BTreeSet::new(), told_by, &[]) == Verdict::Removed
    };
    assert!(!says(&control, &[]));
    assert!(!says(&control, &[GUEST, STRANGER]));
    assert!(says(&control, &[GUEST, FULL]), "the only other full member");
    control.departed.insert(FULL, Timestamp::EPOCH);
    control.members.remove(&FULL);
    assert!(!says(&control, &[FULL]), "the word of one that was removed itself");
    control.departed.insert(ME, Timestamp::EPOCH);
    assert!(says(&control, &[]));
}

#[test]
fn a_single_member_ends_nobody_for_good() {
    let mut control = control();
    for other in OTHERS {
        control.members.insert(other, member(other, MemberRole::Full));
    }
    let says = |told_by: &[NodeId], there: &[NodeId]| judged(&control, &BTreeSet::new(), told_by, there);
    assert_eq!(says(&[FULL], &OTHERS[..1]), Verdict::Stays, "one of three");
    assert_eq!(says(&[FULL, GUEST, STRANGER], &OTHERS), Verdict::Stays, "one of three, and some who do not count");
    assert_eq!(says(&[FULL, OTHERS[0]], &OTHERS[1..]), Verdict::Removed, "two of three");
    assert_eq!(says(&[FULL], &[GUEST, STRANGER]), Verdict::Doubted, "one of three, and no other is there");
    assert_eq!(says(&[GUEST], &[]), Verdict::Stays);
}

#[test]
fn before_there_is_a_copy_of_the_control_state_those_count_who_let_the_node_in() {
    let introduced: BTreeSet<NodeId> = [FULL, OTHERS[0], OTHERS[1]].into();
    // The copy may have come as far as the cluster's beginning, when neither was a member.
    let mut early = control();
    early.members.retain(|node, _| *node == GUEST);
    for control in [ControlState::default(), early] {
        let says = |told_by: &[NodeId]| judged(&control, &introduced, told_by, &OTHERS);
        assert_eq!(says(&[STRANGER, FULL]), Verdict::Stays, "one of three, and a stranger");
        assert_eq!(says(&[FULL, OTHERS[1]]), Verdict::Removed, "two of three");
    }
    assert_eq!(judged(&ControlState::default(), &BTreeSet::new(), &[STRANGER], &[]), Verdict::Stays, "nobody is known");
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
    let removal = Removal {
        node: ME,
        home: home.clone(),
        group: AloneInMemory::new(control()),
        forgotten_by: told.subscribe(),
        vouches: Box::new(|_| false),
        introduced: BTreeSet::new(),
    };
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

#[tokio::test(start_paused = true)]
async fn a_node_of_which_nobody_says_that_it_belongs_stops_and_may_start_again() {
    let (_folder, home) = home();
    let told = watch::Sender::new(BTreeSet::from([FULL]));
    let mut control = control();
    for other in OTHERS {
        control.members.insert(other, member(other, MemberRole::Full));
    }
    let alone = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_alone = alone.clone();
    let removal = Removal {
        node: ME,
        home: home.clone(),
        group: AloneInMemory::new(control),
        forgotten_by: told.subscribe(),
        vouches: Box::new(move |_| !is_alone.load(std::sync::atomic::Ordering::SeqCst)),
        introduced: BTreeSet::new(),
    };
    let (removed, stopping) = (CancellationToken::new(), CancellationToken::new());
    let running = tokio::spawn(removal.run(removed.clone(), stopping));
    assert!(tokio::time::timeout(DOUBT * 3, removed.cancelled()).await.is_err(), "another member knows better");
    alone.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(tokio::time::timeout(DOUBT / 2, removed.cancelled()).await.is_err(), "the others may be about to come");
    tokio::time::timeout(DOUBT * 2, removed.cancelled()).await.unwrap();
    assert!(!home.membership().unwrap().unwrap().removed, "one member ended it for good");
    running.await.unwrap();
}

#[tokio::test]
async fn a_node_that_stops_is_not_removed() {
    let (_folder, home) = home();
    let told = watch::Sender::new(BTreeSet::new());
    let group = AloneInMemory::new(control());
    let (forgotten_by, introduced) = (told.subscribe(), BTreeSet::new());
    let vouches = Box::new(|_| false);
    let removal = Removal { node: ME, home: home.clone(), group, forgotten_by, vouches, introduced };
    let (removed, stopping) = (CancellationToken::new(), CancellationToken::new());
    stopping.cancel();
    removal.run(removed.clone(), stopping).await;
    assert!(!removed.is_cancelled());
    assert!(!home.membership().unwrap().unwrap().removed);
}
