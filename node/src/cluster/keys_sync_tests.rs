use super::*;
use crate::cluster::control_group::AloneInMemory;
use octopussy_control::{ClusterRecord, JoinToken, MemberRecord, TokenMaker, VersionRange};
use octopussy_core::ids::ShardCount;
use octopussy_core::ports::{MemberDesired, MemberRole, TokenUse};
use octopussy_infrastructure::secrets::SecretsHandle;
use std::sync::atomic::{AtomicU64, Ordering};

struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn member(number: u8) -> MemberRecord {
    MemberRecord {
        id: NodeId([number; 16]),
        name: format!("node-{number}"),
        addresses: Vec::new(),
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 1,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::EPOCH,
    }
}

/// A cluster of full members, of which only those that are asked for do anything.
struct World {
    group: Arc<AloneInMemory>,
    clock: Arc<SetClock>,
    key: DataKey,
    homes: Vec<tempfile::TempDir>,
    members: Vec<(KeysSync, SecretsHandle)>,
}

impl World {
    async fn of(count: u8) -> Self {
        let mut state = ControlState::default();
        let (id, shards) = ("00".to_owned(), ShardCount::new(1).unwrap());
        let cluster = ClusterRecord { id, shards, replication: 3, founded_at: Timestamp::from_millis(1) };
        state.apply(ControlCommand::Found { cluster, founder: member(1) }).unwrap();
        let now = Timestamp::from_millis(1);
        let digest = JoinToken::digest_of(b"x");
        let made_by = TokenMaker { node: member(1).id, principal: "admin".to_owned(), at: now };
        let (expires_at, uses, role) = (now.plus(Duration::from_secs(60)), TokenUse::Timed, MemberRole::Full);
        let token = JoinToken { digest, uses, expires_at, used_by: Vec::new(), role, made_by };
        state.apply(ControlCommand::AddToken { id: JoinToken::id_of(&digest), token, now }).unwrap();
        for number in 2..=count {
            state.apply(ControlCommand::Join { member: Box::new(member(number)), token: digest, now }).unwrap();
        }
        let (group, key) = (AloneInMemory::new(state), DataKey::generate().unwrap());
        let clock = Arc::new(SetClock(AtomicU64::new(1_000)));
        let mut world = Self { group, clock, key, homes: Vec::new(), members: Vec::new() };
        for number in 1..=count {
            let home = tempfile::tempdir().unwrap();
            let store = SecretsHandle::open(&home.path().join("secrets")).unwrap();
            let sync = KeysSync {
                node: member(number).id,
                key: world.key.clone(),
                group: world.group.clone(),
                secrets: Arc::new(store.clone()),
                clock: world.clock.clone(),
            };
            sync.round().await.unwrap();
            sync.round().await.unwrap();
            world.homes.push(home);
            world.members.push((sync, store));
        }
        world
    }

    async fn rounds(&self, members: &[usize]) {
        for _ in 0..2 {
            for index in members {
                self.members[*index].0.round().await.unwrap();
            }
        }
    }

    async fn keys(&self, index: usize) -> KeySet {
        let name = SecretName::new(KeyKind::Message.secret()).unwrap();
        KeySet::decode(self.members[index].1.get(&name).await.unwrap().expose()).unwrap()
    }

    async fn offer(&self, key: u8) -> Result<(), ControlError> {
        let command = offer(KeyKind::Message, &[key; 32], &self.key, self.clock.now()).unwrap();
        self.group.propose(command).await.map(|_| ())
    }
}

fn others(keys: &KeySet) -> Vec<u8> {
    keys.others().iter().map(|key| key[0]).collect()
}

#[tokio::test]
async fn everybody_verifies_with_a_key_before_anybody_signs_with_it() {
    let world = World::of(3).await;
    let first = world.keys(0).await;
    assert_eq!(
        (world.keys(1).await, world.keys(2).await),
        (first.clone(), first.clone()),
        "the founder's key is shared"
    );
    world.offer(7).await.unwrap();
    world.rounds(&[0, 1]).await;
    for index in [0, 1] {
        let keys = world.keys(index).await;
        assert_eq!((keys.active(), others(&keys)), (first.active(), vec![7]), "{index} signs with what node 2 lacks");
    }
    world.rounds(&[2, 0, 1]).await;
    for index in 0..3 {
        let keys = world.keys(index).await;
        assert_eq!((**keys.active(), others(&keys)), ([7; 32], vec![first.active()[0]]), "{index}");
    }
}

#[tokio::test]
async fn a_member_that_is_away_holds_a_rotation_up_for_a_bounded_time() {
    let world = World::of(3).await;
    world.offer(7).await.unwrap();
    world.rounds(&[0, 1]).await;
    assert_ne!(world.keys(0).await.active()[0], 7);
    world.clock.0.fetch_add(u64::try_from(KEY_OFFER_LIMIT.as_millis()).unwrap(), Ordering::SeqCst);
    world.rounds(&[0, 1]).await;
    assert_eq!(world.keys(0).await.active()[0], 7);
    // It comes back, and has the key before it does anything with a message.
    world.rounds(&[2]).await;
    assert_eq!(world.keys(2).await, world.keys(0).await);
}

#[tokio::test]
async fn the_keys_of_a_stolen_member_are_replaced_once_it_is_out() {
    let world = World::of(3).await;
    let (first, thief) = (world.keys(2).await, NodeId([3; 16]));
    let now = world.clock.now();
    world
        .group
        .propose(ControlCommand::Stolen { node: thief, now, by: octopussy_control::AskedBy::UNTOLD })
        .await
        .unwrap();
    world.rounds(&[0, 1]).await;
    assert_eq!(world.keys(0).await, first, "a key was offered that the stolen member still gets");
    world.group.propose(ControlCommand::Remove { node: thief, now }).await.unwrap();
    world.rounds(&[0, 1]).await;
    world.rounds(&[0, 1]).await;
    let keys = world.keys(0).await;
    assert_ne!(keys.active(), first.active());
    assert_eq!(keys, world.keys(1).await);
    // Once is enough.
    world.rounds(&[0, 1]).await;
    assert_eq!(world.keys(0).await, keys);
}

/// Two rotate at the same time: one is taken, the other is told, and nobody has signed with what was not taken.
#[tokio::test]
async fn concurrent_rotations_converge_on_one_key() {
    let world = World::of(2).await;
    world.offer(7).await.unwrap();
    assert!(world.offer(8).await.is_err());
    world.rounds(&[0, 1]).await;
    assert_eq!((world.keys(0).await, world.keys(0).await.active()[0]), (world.keys(1).await, 7));
    // A later one begins when the first is through, and both keys before it still verify.
    world.offer(8).await.unwrap();
    world.rounds(&[0, 1]).await;
    assert_eq!((world.keys(1).await.active()[0], others(&world.keys(1).await).len()), (8, 2));
}

/// A backup that was taken before the cluster had a key has the one that its founder made for itself all the same.
#[tokio::test]
async fn a_cluster_that_begins_anew_signs_no_tokens_with_a_key_of_the_old_one() {
    let founder = World::of(1).await;
    let name = |kind: KeyKind| SecretName::new(kind.secret()).unwrap();
    for with_keys in [true, false] {
        let mut state = ControlState::clone(&founder.group.control());
        if !with_keys {
            state.keys.clear();
        }
        state.begin_anew("11".to_owned(), member(9));
        let group = AloneInMemory::new(state);
        let store = founder.members[0].1.clone();
        let old = store.get(&name(KeyKind::Token)).await.unwrap();
        let old = KeySet::decode(old.expose()).unwrap().active().clone();
        let sync = KeysSync {
            node: member(9).id,
            key: founder.key.clone(),
            group,
            secrets: Arc::new(store.clone()),
            clock: founder.clock.clone(),
        };
        for _ in 0..4 {
            sync.round().await.unwrap();
        }
        let new = KeySet::decode(store.get(&name(KeyKind::Token)).await.unwrap().expose()).unwrap();
        assert_ne!(*new.active(), old, "with keys: {with_keys}");
    }
}
