//! A machine joins a cluster, both in memory: everything but the connection between them is real.

use super::*;
use crate::cluster::authority_sync;
use crate::cluster::control_group::AloneInMemory;
use crate::cluster::home::ClusterHome;
use crate::cluster::joining::{Door, JoinFailure, Joined, Wish, join, resume};
use crate::cluster::token::{JoinSecret, JoinToken};
use crate::identity::{AuthorityKey, CommittedAuthority, PresentIdentity, load_or_create, new_authority};
use async_trait::async_trait;
use octopussy_control::{ClusterRecord, TokenMaker, VersionRange};
use octopussy_core::ids::ShardCount;
use octopussy_core::key_set::KeySet;
use octopussy_core::ports::{MemberDesired, SecretName, SecretValue, SecretsPort, TokenUse};
use octopussy_core::time::Timestamp;
use octopussy_infrastructure::secrets::SecretsHandle;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A clock that a test sets.
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

const START: u64 = 1_800_000_000_000;

/// A cluster of one node that lets others in.
struct Founder {
    _home: TempDir,
    identity: Identity,
    group: Arc<AloneInMemory>,
    key: DataKey,
    clock: Arc<TestClock>,
    admission: Admission,
}

impl Founder {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let identity = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
        let clock = Arc::new(TestClock(AtomicU64::new(START)));
        let key = DataKey::generate().unwrap();
        let mut state = ControlState::default();
        let cluster = ClusterRecord {
            id: identity.cluster_id.clone(),
            shards: ShardCount::new(4).unwrap(),
            replication: 3,
            founded_at: clock.now(),
        };
        state.apply(ControlCommand::Found { cluster, founder: record(&identity, clock.now()) }).unwrap();
        for kind in KeyKind::STORED {
            state.apply(keys_sync::offer(kind, &[7; 32], &key, clock.now()).unwrap()).unwrap();
        }
        let authority = authority_sync::proposal(&identity, &state, || Ok(key.clone()), clock.now()).unwrap();
        state.apply(authority.unwrap()).unwrap();
        let group = AloneInMemory::new(state);
        let admission =
            Admission::new(PresentIdentity::new(identity.clone()), group.clone(), Some(key.clone()), clock.clone());
        Self { _home: home, identity, group, key, clock, admission }
    }

    async fn token(&self, uses: TokenUse, secret: u8) -> JoinToken {
        self.token_for(MemberRole::Full, uses, secret).await
    }

    async fn token_for(&self, role: MemberRole, uses: TokenUse, secret: u8) -> JoinToken {
        let secret = JoinSecret([secret; 32]);
        let expires_at = self.clock.now().plus(Duration::from_secs(3_600));
        let made_by = TokenMaker { node: self.identity.node_id, principal: "admin".to_owned(), at: self.clock.now() };
        let digest = secret.digest();
        let token = octopussy_control::JoinToken { digest, uses, expires_at, used_by: Vec::new(), role, made_by };
        let command = ControlCommand::AddToken { id: secret.id(), token, now: self.clock.now() };
        self.group.propose(command).await.unwrap();
        let addresses = vec!["192.0.2.1:47210".parse().unwrap(), "192.0.2.2:47210".parse().unwrap()];
        JoinToken { addresses, fingerprint: self.identity.fingerprint, secret, expires_at }
    }

    fn door(&self) -> Way {
        Way { admission: self.admission.clone(), asked: AtomicUsize::new(0), loses: 0 }
    }

    async fn let_in(&self, home: &TempDir, token: &JoinToken, wish: &Wish) -> Result<Joined, JoinFailure> {
        self.let_in_by(home, token, wish, &self.door()).await
    }

    async fn let_in_by(
        &self,
        home: &TempDir,
        token: &JoinToken,
        wish: &Wish,
        way: &Way,
    ) -> Result<Joined, JoinFailure> {
        let clock = self.clock.clone();
        join(home.path(), token, wish, way, move || clock.now()).await
    }
}

fn record(identity: &Identity, now: Timestamp) -> MemberRecord {
    MemberRecord {
        id: identity.node_id,
        name: "attic".to_owned(),
        addresses: vec!["192.0.2.2:47210".parse().unwrap()],
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 4,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: now,
    }
}

fn wish() -> Wish {
    Wish {
        name: "attic".to_owned(),
        name_is_chosen: false,
        only_as_guest: false,
        capacity: 2,
        zone: Some("cellar".to_owned()),
        addresses: vec!["192.0.2.9:47210".parse().unwrap()],
        versions: VersionRange { min: 1, max: 1 },
        boot: 1,
    }
}

/// The first of two addresses is silent. Some answers are lost.
struct Way {
    admission: Admission,
    asked: AtomicUsize,
    loses: usize,
}

#[async_trait]
impl Door for Way {
    async fn ask(&self, address: SocketAddr, _: [u8; 32], request: Bytes, _: Duration) -> Result<Bytes, String> {
        if address.ip().to_string() == "192.0.2.1" {
            return Err("no answer".to_owned());
        }
        let answer = self.admission.answer(address, &request).await.map_err(|error| error.to_string());
        if self.asked.fetch_add(1, Ordering::SeqCst) < self.loses {
            return Err("the connection was lost".to_owned());
        }
        answer
    }
}

/// A member behind addresses that swallow packets.
struct Walled(Way);

#[async_trait]
impl Door for Walled {
    async fn ask(&self, address: SocketAddr, to: [u8; 32], request: Bytes, within: Duration) -> Result<Bytes, String> {
        if address.ip().to_string() == "192.0.2.2" {
            return self.0.ask(address, to, request, within).await;
        }
        tokio::time::sleep(within).await;
        Err("no answer".to_owned())
    }
}

#[tokio::test]
async fn addresses_that_swallow_packets_do_not_hold_up_a_joining() {
    let founder = Founder::new();
    let mut token = founder.token(TokenUse::Single, 1).await;
    let silent = (10..15).map(|last| SocketAddr::from(([192, 0, 2, last], 47_210)));
    token.addresses = silent.chain(["192.0.2.2:47210".parse().unwrap()]).collect();
    let home = tempfile::tempdir().unwrap();
    let clock = founder.clock.clone();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    join(home.path(), &token, &wish(), &Walled(founder.door()), move || clock.now()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

fn stored(home: &TempDir) -> SecretsHandle {
    SecretsHandle::open(&home.path().join("secrets")).unwrap()
}

#[tokio::test]
async fn a_full_member_gets_everything_it_needs_to_admit_others() {
    let founder = Founder::new();
    let token = founder.token(TokenUse::Single, 1).await;
    let home = tempfile::tempdir().unwrap();
    // What `install` leaves behind gives way: an authority of its own, secrets of its own.
    load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    let before = stored(&home);
    before.set(&SecretName::new("mine").unwrap(), SecretValue::new(b"x".to_vec())).await.unwrap();
    before.close();
    drop(before);
    let Joined::Now(member) = founder.let_in(&home, &token, &wish()).await.unwrap() else {
        panic!("it was a member before")
    };
    assert_eq!((member.cluster.as_str(), member.name.as_str()), (founder.identity.cluster_id.as_str(), "attic-2"));
    let identity = load_or_create(home.path(), member.authority_key(), &[]).unwrap();
    assert_eq!(identity.fingerprint, founder.identity.fingerprint);
    assert!(identity.authority_key().is_some());
    let known = founder.group.control().members[&identity.node_id].clone();
    assert_eq!((known.name.as_str(), known.capacity, known.zone.as_deref()), ("attic-2", 2, Some("cellar")));
    let cluster_home = ClusterHome::of(home.path());
    assert!(cluster_home.data_key(false).unwrap() == founder.key);
    assert_eq!(cluster_home.introductions().unwrap()[0].0, founder.identity.node_id);
    let secrets = stored(&home);
    let names = ["jwt.signing_key", "message.signing_key"].map(|name| SecretName::new(name).unwrap());
    assert_eq!(secrets.list().await.unwrap(), names);
    let keys = KeySet::decode(secrets.get(&names[1]).await.unwrap().expose()).unwrap();
    assert_eq!(keys, KeySet::alone([7; 32]));
    // And it lets a third one in by itself.
    let second = Admission::new(
        PresentIdentity::new(identity),
        founder.group.clone(),
        Some(founder.key.clone()),
        founder.clock.clone(),
    );
    let third = tempfile::tempdir().unwrap();
    let token = founder.token(TokenUse::Single, 2).await;
    let way = Way { admission: second, asked: AtomicUsize::new(0), loses: 0 };
    founder.let_in_by(&third, &token, &wish(), &way).await.unwrap();
    assert_eq!(founder.group.control().members.len(), 3);
}

/// What a home holds: every file's bytes, by path.
fn files(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![(path.clone(), std::fs::read(&path).unwrap())] })
        .collect()
}

#[tokio::test]
async fn a_guest_gets_no_key_and_no_secret_and_lets_nobody_in() {
    let founder = Founder::new();
    let home = tempfile::tempdir().unwrap();
    let token = founder.token_for(MemberRole::Guest, TokenUse::Timed, 1).await;
    let Joined::Now(member) = founder.let_in(&home, &token, &wish()).await.unwrap() else {
        panic!("it was a member before")
    };
    assert_eq!(member.role, MemberRole::Guest, "the token decides");
    assert!(!home.path().join("tls/ca.key").exists() && !home.path().join("cluster/data.key").exists());
    let authority_key = founder.identity.authority_key().unwrap().lines().nth(1).unwrap().to_owned();
    let data_key = crate::cluster::hex(founder.key.expose());
    for (path, bytes) in files(home.path()) {
        let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        let found = holds(authority_key.as_bytes()) || holds(data_key.as_bytes()) || holds(founder.key.expose());
        assert!(!found && !holds(&[7; 32]), "{} holds a key of the cluster", path.display());
    }
    let identity = load_or_create(home.path(), member.authority_key(), &[]).unwrap();
    let guest = Admission::new(PresentIdentity::new(identity), founder.group.clone(), None, founder.clock.clone());
    let other = tempfile::tempdir().unwrap();
    let request = Way { admission: guest, asked: AtomicUsize::new(0), loses: 0 };
    tokio::time::pause();
    let error = founder.let_in_by(&other, &token, &wish(), &request).await.unwrap_err();
    assert!(error.to_string().contains("it is a guest"), "{error}");
    assert!(error.to_string().contains("attic"), "who could let it in is not named: {error}");
}

#[tokio::test]
async fn whoever_joins_does_not_choose_what_it_becomes() {
    let founder = Founder::new();
    let members = founder.token(TokenUse::Single, 1).await;
    let guests = founder.token_for(MemberRole::Guest, TokenUse::Timed, 2).await;
    let home = tempfile::tempdir().unwrap();
    let error = founder.let_in(&home, &members, &Wish { only_as_guest: true, ..wish() }).await.unwrap_err();
    assert!(error.to_string().contains("cluster token --guest"), "the way out is not told: {error}");
    assert_eq!(founder.group.control().members.len(), 1, "a refused node is a member");
    founder.let_in(&home, &guests, &Wish { only_as_guest: true, ..wish() }).await.unwrap();
    // The same key with another token: it stays what it is.
    std::fs::remove_file(home.path().join("cluster/member.json")).unwrap();
    let error = founder.let_in(&home, &members, &wish()).await.unwrap_err();
    let refused = JoinRefusal::Control(ControlRefusal::WrongRole { token: MemberRole::Full });
    assert!(matches!(&error, JoinFailure::Refused(refusal) if *refusal == refused), "{error}");
}

/// Whoever has no token costs the member that is asked a look at its list.
#[tokio::test]
async fn nothing_is_decoded_decrypted_or_signed_before_the_token_is_looked_at() {
    let founder = Founder::new();
    let token = founder.token(TokenUse::Single, 1).await;
    let request = |secret| JoinRequest {
        protocol: crate::cluster::join_wire::PROTOCOL,
        secret,
        // Neither a request nor a proof: it would be refused as such if it were looked at.
        signing_request: vec![0; 16],
        name: "attic".to_owned(),
        name_is_chosen: false,
        only_as_guest: false,
        capacity: 2,
        zone: None,
        addresses: vec!["192.0.2.9:47210".parse().unwrap()],
        versions: VersionRange { min: 1, max: 1 },
        boot: 1,
        clock: founder.clock.now(),
    };
    let stranger = founder.admission.admit(request(JoinSecret([8; 32]))).await.unwrap_err();
    assert_eq!(stranger, JoinRefusal::Control(ControlRefusal::UnknownToken));
    let invited = founder.admission.admit(request(token.secret)).await.unwrap_err();
    assert!(matches!(invited, JoinRefusal::BadRequest(_)), "{invited}");
    assert_eq!(founder.group.control().members.len(), 1);
}

#[tokio::test]
async fn a_token_is_good_for_one_node_which_may_ask_again() {
    let founder = Founder::new();
    let token = founder.token(TokenUse::Single, 1).await;
    let home = tempfile::tempdir().unwrap();
    let lossy = Way { loses: 1, ..founder.door() };
    let error = founder.let_in_by(&home, &token, &wish(), &lossy).await.unwrap_err();
    assert!(matches!(error, JoinFailure::Unreachable(_)), "{error}");
    assert_eq!(ClusterHome::of(home.path()).membership().unwrap(), None);
    assert_eq!(founder.group.control().members.len(), 2, "the answer was lost after the node was let in");
    founder.let_in(&home, &token, &wish()).await.unwrap();
    assert_eq!(founder.group.control().members.len(), 2);
    let again = founder.let_in(&home, &token, &wish()).await.unwrap();
    assert!(matches!(again, Joined::Before(_)), "{again:?}");
    let other = tempfile::tempdir().unwrap();
    let error = founder.let_in(&other, &token, &wish()).await.unwrap_err();
    assert!(matches!(error, JoinFailure::Refused(JoinRefusal::Control(ControlRefusal::TokenUsed))), "{error}");
    assert_eq!(ClusterHome::of(other.path()).membership().unwrap(), None);
}

#[tokio::test]
async fn a_home_belongs_to_one_cluster_and_data_is_not_taken_along() {
    let (one, two) = (Founder::new(), Founder::new());
    let home = tempfile::tempdir().unwrap();
    let token = one.token(TokenUse::Single, 1).await;
    one.let_in(&home, &token, &wish()).await.unwrap();
    let other = two.token(TokenUse::Single, 1).await;
    let error = two.let_in(&home, &other, &wish()).await.unwrap_err();
    assert!(matches!(&error, JoinFailure::OtherCluster(id) if *id == one.identity.cluster_id), "{error}");
    let used = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(used.path().join("data/log")).unwrap();
    let error = two.let_in(&used, &other, &wish()).await.unwrap_err();
    assert!(matches!(error, JoinFailure::Data(_)), "{error}");
    // A node that shows the wrong authority is not believed, whatever it answers.
    let wrong = JoinToken { fingerprint: [0; 32], ..other };
    let error = two.let_in(&tempfile::tempdir().unwrap(), &wrong, &wish()).await.unwrap_err();
    assert!(matches!(error, JoinFailure::BadAnswer(_)), "{error}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_keeps_a_node_out() {
    let founder = Founder::new();
    let token = founder.token(TokenUse::Single, 1).await;
    let home = tempfile::tempdir().unwrap();
    let late = Timestamp::from_millis(START + 6 * 60 * 1_000);
    let error = join(home.path(), &token, &wish(), &founder.door(), move || late).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("clocks are 6 minutes apart") && text.contains("2027-01-15 08:06:00"), "{text}");
}

#[tokio::test]
async fn a_joining_that_was_cut_off_anywhere_is_finished_by_the_next_start() {
    let founder = Founder::new();
    let token = founder.token(TokenUse::Single, 1).await;
    let home = tempfile::tempdir().unwrap();
    assert!(resume(home.path()).await.unwrap().is_none());
    founder.let_in(&home, &token, &wish()).await.unwrap();
    let cluster_home = ClusterHome::of(home.path());
    assert_eq!(cluster_home.journal().unwrap(), None);
    // The state right after the cluster's answer was written down: nothing of it is in its place.
    let key = crate::identity::NodeKey::load_or_create(home.path()).unwrap();
    let request = JoinRequest {
        protocol: crate::cluster::join_wire::PROTOCOL,
        secret: token.secret,
        signing_request: key.signing_request().unwrap(),
        name: "attic".to_owned(),
        name_is_chosen: false,
        only_as_guest: false,
        capacity: 2,
        zone: None,
        addresses: vec!["192.0.2.9:47210".parse().unwrap()],
        versions: VersionRange { min: 1, max: 1 },
        boot: 2,
        clock: founder.clock.now(),
    };
    let grant = founder.admission.admit(request).await.unwrap();
    for part in ["secrets", "cluster", "tls/ca.pem", "tls/ca.key", "tls/node.pem"] {
        let path = home.path().join(part);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }
    cluster_home.set_journal(&grant).unwrap();
    let member = resume(home.path()).await.unwrap().expect("nothing was resumed");
    assert_eq!(cluster_home.membership().unwrap(), Some(member));
    assert_eq!(cluster_home.journal().unwrap(), None);
    let identity = load_or_create(home.path(), AuthorityKey::Held, &[]).unwrap();
    assert_eq!(identity.fingerprint, founder.identity.fingerprint);
    assert_eq!(stored(&home).list().await.unwrap().len(), 2);
}

/// The token was made before another authority took the place of the one that it names.
#[tokio::test]
async fn a_token_that_names_the_authority_before_lets_in_while_that_one_is_trusted() {
    let founder = Founder::new();
    let (token, late) = (founder.token(TokenUse::Single, 1).await, founder.token(TokenUse::Single, 2).await);
    let key = founder.identity.authority_key().map(|key| zeroize::Zeroizing::new(key.to_owned()));
    let before = CommittedAuthority { certificate: founder.identity.authority().clone(), key };
    let (now, home) = (founder.clock.now(), founder._home.path());
    let new = new_authority(now).unwrap();
    let follow = |authorities: &[CommittedAuthority]| {
        let identity = founder.identity.following(authorities, home, &[], now).unwrap();
        let key = Some(founder.key.clone());
        let admission =
            Admission::new(PresentIdentity::new(identity), founder.group.clone(), key, founder.clock.clone());
        Way { admission, asked: AtomicUsize::new(0), loses: 0 }
    };
    let joining = tempfile::tempdir().unwrap();
    let way = follow(&[new.clone(), before]);
    founder.let_in_by(&joining, &token, &wish(), &way).await.unwrap();
    let member = load_or_create(joining.path(), AuthorityKey::Held, &[]).unwrap();
    assert_eq!((member.authority(), member.trusted().len()), (&new.certificate, 2));
    let way = follow(&[new]);
    let refused = founder.let_in_by(&tempfile::tempdir().unwrap(), &late, &wish(), &way).await.unwrap_err();
    assert!(refused.to_string().contains("another cluster"), "{refused}");
}

#[path = "join_secrets_tests.rs"]
mod secrets;
