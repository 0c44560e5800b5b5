use super::super::control_group::AloneInMemory;
use super::super::home::ClusterHome;
use super::*;
use octopussy_control::{ClusterRecord, MemberRecord, VersionRange};
use octopussy_core::ids::ShardCount;
use octopussy_core::ports::MemberDesired;
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeSet;

const ME: NodeId = NodeId([1; 16]);
const A: NodeId = NodeId([2; 16]);
const GUEST: NodeId = NodeId([3; 16]);

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(5)
    }
}

#[derive(Default)]
struct Peers {
    connected: Mutex<BTreeSet<NodeId>>,
    forgotten_by: Mutex<BTreeSet<NodeId>>,
    told: watch::Sender<BTreeMap<NodeId, Arc<str>>>,
    looked: Mutex<Vec<SocketAddr>>,
    silent: Mutex<bool>,
}

impl Peers {
    fn say(&self, node: NodeId) {
        self.told.send_modify(|told| drop(told.insert(node, Arc::from("it is in use"))));
    }
}

#[async_trait]
impl Neighbours for Peers {
    fn is_connected(&self, node: NodeId) -> bool {
        self.connected.lock().contains(&node)
    }
    fn forgotten_by(&self) -> BTreeSet<NodeId> {
        self.forgotten_by.lock().clone()
    }
    fn disowned_by(&self) -> watch::Receiver<BTreeMap<NodeId, Arc<str>>> {
        self.told.subscribe()
    }
    async fn look_for_itself(&self, addresses: &[SocketAddr]) {
        self.looked.lock().extend_from_slice(addresses);
    }
    fn tell_lineage(&self, _: Lineage) {}
    async fn fall_silent(&self) {
        *self.silent.lock() = true;
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn control() -> ControlState {
    let member = |id: NodeId, role| MemberRecord {
        id,
        name: format!("node-{}", id.0[0]),
        addresses: vec![address(1), address(2)],
        role,
        desired: MemberDesired::Active,
        capacity: 4,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::EPOCH,
    };
    let shards = ShardCount::new(4).unwrap();
    let members = [(ME, MemberRole::Full), (A, MemberRole::Full), (GUEST, MemberRole::Guest)];
    ControlState {
        cluster: Some(ClusterRecord { id: "c".to_owned(), shards, replication: 3, founded_at: Timestamp::EPOCH }),
        members: members.into_iter().map(|(id, role)| (id, member(id, role))).collect(),
        ..ControlState::default()
    }
}

struct Fixture {
    _folder: tempfile::TempDir,
    peers: Arc<Peers>,
    group: Arc<AloneInMemory>,
    lives: Arc<HomeLives>,
    may_vote: watch::Receiver<bool>,
    disowned: Arc<OnceLock<String>>,
    ended: CancellationToken,
    stopping: CancellationToken,
}

fn start(control: ControlState) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let lives = HomeLives::begin(folder.path()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let acquaintances = Acquaintances::open(ME, ClusterHome::of(folder.path()), clock.clone()).unwrap();
    let (may_vote, votes) = watch::channel(false);
    let fixture = Fixture {
        _folder: folder,
        peers: Arc::default(),
        group: AloneInMemory::new(control),
        lives: lives.clone(),
        may_vote: votes,
        disowned: Arc::default(),
        ended: CancellationToken::new(),
        stopping: CancellationToken::new(),
    };
    let start = SoleStart {
        me: ME,
        lives,
        acquaintances,
        mesh: fixture.peers.clone(),
        group: fixture.group.clone(),
        addresses: vec![address(2)],
        written: Box::new(|| 0),
        clock,
        may_vote,
        disowned: fixture.disowned.clone(),
    };
    tokio::spawn(start.run(fixture.ended.clone(), fixture.stopping.clone()));
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_start_votes_and_is_told_of_once_all_full_members_have_let_it_in() {
    let mut fixture = start(control());
    let _still_waiting = tokio::time::timeout(PATIENCE / 2, fixture.may_vote.wait_for(|may| *may)).await.unwrap_err();
    assert!(fixture.group.control().lives.is_empty());
    fixture.peers.connected.lock().insert(A);
    let begun = tokio::time::Instant::now();
    fixture.may_vote.wait_for(|may| *may).await.unwrap();
    assert!(begun.elapsed() < PATIENCE / 4);
    fixture.group.watch().wait_for(|state| state.lives.contains_key(&ME)).await.unwrap();
    assert_eq!(*fixture.peers.looked.lock(), [address(1)], "where it is now it does not look for itself");
    fixture.stopping.cancel();
}

#[tokio::test(start_paused = true)]
async fn members_that_are_down_hold_nobody_up_for_long() {
    let mut fixture = start(control());
    let begun = tokio::time::Instant::now();
    fixture.may_vote.wait_for(|may| *may).await.unwrap();
    assert!(begun.elapsed() >= PATIENCE && begun.elapsed() < PATIENCE * 2);
}

#[tokio::test(start_paused = true)]
async fn the_word_of_a_full_member_ends_a_start_and_that_of_a_guest_does_not() {
    let mut fixture = start(control());
    fixture.peers.connected.lock().insert(A);
    fixture.peers.say(GUEST);
    fixture.may_vote.wait_for(|may| *may).await.unwrap();
    fixture.peers.say(A);
    fixture.ended.cancelled().await;
    assert!(!*fixture.may_vote.borrow_and_update(), "it goes on voting");
    assert!(*fixture.peers.silent.lock());
    assert_eq!(fixture.disowned.get().unwrap(), "node-2 says: it is in use");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_the_control_group_does_not_take_ends() {
    let mut control = control();
    let other = Lineage::first(1, 1, 999).remembered(None, Timestamp::EPOCH).unwrap();
    control.lives.insert(ME, other);
    let fixture = start(control);
    fixture.ended.cancelled().await;
    assert!(!*fixture.may_vote.borrow(), "it has voted");
    assert!(fixture.disowned.get().unwrap().contains("in use elsewhere"));
    assert_eq!(fixture.lives.life().epoch, 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_of_a_node_that_a_member_calls_removed_votes_once_the_cluster_takes_it() {
    for (caller, is_taken, votes) in [(A, true, true), (A, false, false), (GUEST, false, true)] {
        let mut control = control();
        if !is_taken {
            control.members.remove(&ME);
        }
        let mut fixture = start(control);
        fixture.peers.forgotten_by.lock().insert(caller);
        let voted = tokio::time::timeout(PATIENCE * 10, fixture.may_vote.wait_for(|may| *may)).await;
        assert_eq!(voted.is_ok(), votes, "{caller} calls it removed, taken: {is_taken}");
        fixture.stopping.cancel();
    }
}
