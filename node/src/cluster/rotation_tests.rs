//! One authority takes the place of another: everything but the network is real.

use super::tests::{SetClock, Way, member};
use super::*;
use crate::cluster::admit::Admission;
use crate::cluster::control_group::AloneInMemory;
use crate::identity::{AuthorityKey, NodeKey, load_or_create, store_credentials};
use octopussy_control::{ClusterRecord, ControlCommand, KEY_OFFER_LIMIT, kept_for};
use octopussy_core::ids::{NodeId, ShardCount};
use octopussy_core::ports::{KeyKind, MemberRole};
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use std::time::SystemTime;
use tempfile::TempDir;

/// A node with its home, and what it has shown to others last.
struct Node {
    home: TempDir,
    renewer: Renewer,
    shown: Arc<Mutex<Option<MeshCertificates>>>,
}

struct World {
    group: Arc<AloneInMemory>,
    clock: Arc<SetClock>,
    key: DataKey,
    nodes: Vec<Node>,
}

impl World {
    /// Full members, the first of which has founded the cluster, and a guest at the end.
    fn of(full: usize) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let clock = Arc::new(SetClock(Mutex::new(Timestamp::EPOCH.plus(now))));
        let key = DataKey::generate().unwrap();
        let founder_home = tempfile::tempdir().unwrap();
        let founder = load_or_create(founder_home.path(), AuthorityKey::Held, &[]).unwrap();
        let mut homes = vec![founder_home];
        for number in 1..=full {
            let (home, guest) = (tempfile::tempdir().unwrap(), number == full);
            let (role, held) =
                if guest { (MemberRole::Guest, None) } else { (MemberRole::Full, founder.authority_key()) };
            let request = NodeKey::load_or_create(home.path()).unwrap().signing_request().unwrap();
            let signed = founder.sign(&request, &[], role).unwrap();
            store_credentials(home.path(), &founder.ca_pem, held, &signed).unwrap();
            homes.push(home);
        }
        let (id, shards) = (founder.cluster_id.clone(), ShardCount::new(1).unwrap());
        let cluster = Some(ClusterRecord { id, shards, replication: 3, founded_at: clock.now() });
        let mut state = ControlState { cluster, ..ControlState::default() };
        let mut identities = Vec::new();
        for (number, home) in homes.iter().enumerate() {
            let (role, held) = if number == full {
                (MemberRole::Guest, AuthorityKey::Elsewhere)
            } else {
                ClusterHome::of(home.path()).set_data_key(&key).unwrap();
                (MemberRole::Full, AuthorityKey::Held)
            };
            let identity = load_or_create(home.path(), held, &[]).unwrap();
            state.members.insert(identity.node_id, member(identity.node_id, role));
            identities.push(identity);
        }
        let group = AloneInMemory::new(state);
        let mut world = Self { group, clock, key, nodes: Vec::new() };
        for (home, identity) in homes.into_iter().zip(identities) {
            let shown = Arc::new(Mutex::new(Some(identity.mesh_certificates())));
            let seen = shown.clone();
            let renewer = Renewer {
                home: home.path().to_owned(),
                identity: PresentIdentity::new(identity),
                names: Vec::new(),
                show: Box::new(move |certificates| {
                    *seen.lock() = Some(certificates.clone());
                    Ok(())
                }),
                group: world.group.clone(),
                door: Box::new(Way(None)),
                clock: world.clock.clone(),
            };
            world.nodes.push(Node { home, renewer, shown });
        }
        world
    }

    async fn rounds(&self, nodes: &[usize]) {
        for _ in 0..2 {
            for node in nodes {
                self.nodes[*node].renewer.follow().await.unwrap();
            }
        }
    }

    async fn offer(&self) -> Result<(), ControlError> {
        let (_, command) = authority_sync::offer_new(&self.key, self.clock.now()).unwrap();
        self.group.propose(command).await.map(|_| ())
    }

    /// The certificates of the authorities as the cluster has committed them, the one that signs first.
    fn committed(&self) -> Vec<CertificateDer<'static>> {
        authority_sync::trusted(&self.group.control())
    }

    fn tick(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// What a node trusts, and who has signed what it shows.
    fn under(&self, node: usize) -> (Vec<CertificateDer<'static>>, CertificateDer<'static>) {
        let identity = self.nodes[node].renewer.identity.get();
        let shown = self.nodes[node].shown.lock().clone().unwrap();
        assert_eq!((&shown.authorities, &shown.certificate), (&identity.trusted(), &identity.certificate));
        (identity.trusted(), identity.authority().clone())
    }

    fn reloaded(&self, node: usize) -> Identity {
        let held = if node + 1 == self.nodes.len() { AuthorityKey::Elsewhere } else { AuthorityKey::Held };
        load_or_create(self.nodes[node].home.path(), held, &[]).unwrap()
    }

    fn id(&self, node: usize) -> NodeId {
        self.nodes[node].renewer.identity.get().node_id
    }
}

#[tokio::test]
async fn every_member_trusts_an_authority_before_anybody_is_certified_by_it() {
    let world = World::of(3);
    world.rounds(&[0, 1, 2, 3]).await;
    let first = world.committed();
    assert_eq!(first.len(), 1, "the founder's");
    world.offer().await.unwrap();
    world.rounds(&[0, 1]).await;
    let offered = world.committed();
    assert_eq!((offered.len(), &offered[0]), (2, &first[0]));
    for node in [0, 1] {
        assert_eq!(world.under(node), (offered.clone(), first[0].clone()), "{node} shows what member 2 does not trust");
    }
    world.rounds(&[2, 0, 1]).await;
    let active = world.committed();
    assert_eq!(active, [offered[1].clone(), first[0].clone()]);
    for node in 0..3 {
        assert_eq!(world.under(node), (active.clone(), active[0].clone()), "{node}");
        let kept = world.reloaded(node);
        assert_eq!(
            (kept.trusted(), kept.node_id),
            (active.clone(), world.id(node)),
            "{node} forgets it with a restart"
        );
        assert_eq!(kept.mesh_certificates().crosses.len(), 1, "{node} is lost to whoever trusts the one before alone");
    }
    // A member that joins now gets the certificates, and makes the rest by itself.
    std::fs::remove_file(world.nodes[1].home.path().join("tls/cross.pem")).unwrap();
    world.nodes[1].renewer.identity.set(world.reloaded(1));
    world.rounds(&[1]).await;
    assert_eq!(world.reloaded(1).mesh_certificates().crosses.len(), 1);
    // After a bounded time the one before counts nowhere.
    world.tick(kept_for(KeyKind::Authority));
    world.group.propose(ControlCommand::Tick { now: world.clock.now() }).await.unwrap();
    world.rounds(&[0, 1, 2]).await;
    for node in 0..3 {
        assert_eq!(world.under(node), (vec![active[0].clone()], active[0].clone()), "{node}");
        assert_eq!(world.reloaded(node).mesh_certificates().crosses.len(), 0, "{node}");
    }
}

/// It was down from before the offer until after the end of the overlap, and has what it needs in the control state.
#[tokio::test]
async fn a_member_that_was_down_is_waited_for_a_bounded_time_and_follows_later() {
    let world = World::of(3);
    world.rounds(&[0, 1, 2]).await;
    let first = world.committed();
    world.offer().await.unwrap();
    world.rounds(&[0, 1]).await;
    world.tick(KEY_OFFER_LIMIT);
    world.rounds(&[0, 1]).await;
    assert_ne!(world.committed()[0], first[0], "a member that is down is waited for without end");
    world.tick(kept_for(KeyKind::Authority));
    world.group.propose(ControlCommand::Tick { now: world.clock.now() }).await.unwrap();
    assert_eq!(world.under(2), (first.clone(), first[0].clone()));
    world.rounds(&[2]).await;
    let now = world.committed();
    assert_eq!(world.under(2), (now.clone(), now[0].clone()));
    assert_eq!(world.reloaded(2).authority_key(), world.reloaded(0).authority_key());
}

#[tokio::test]
async fn a_stolen_member_costs_the_authority_once_it_is_out() {
    let world = World::of(3);
    world.rounds(&[0, 1, 2]).await;
    let (first, now) = (world.committed(), world.clock.now());
    world
        .group
        .propose(ControlCommand::Stolen { node: world.id(2), now, by: octopussy_control::AskedBy::UNTOLD })
        .await
        .unwrap();
    world.rounds(&[0, 1]).await;
    assert_eq!(world.committed(), first, "an authority was made whose key the thief gets");
    world.group.propose(ControlCommand::Remove { node: world.id(2), now }).await.unwrap();
    world.rounds(&[0, 1]).await;
    world.rounds(&[0, 1]).await;
    let after = world.committed();
    assert_eq!((after.len(), &after[1]), (2, &first[0]));
    assert_eq!(world.under(0), world.under(1));
    // Once is enough, and two at once are one.
    world.offer().await.unwrap();
    assert!(world.offer().await.is_err());
    world.rounds(&[0, 1]).await;
    assert_eq!(world.committed().len(), 3);
}

/// A guest has nothing to sign with: it trusts the new one, and asks for a certificate of it, whichever a member shows.
#[tokio::test]
async fn a_guest_follows_and_asks_for_a_certificate() {
    let mut world = World::of(1);
    world.rounds(&[0, 1]).await;
    let first = world.committed();
    world.offer().await.unwrap();
    assert!(!world.nodes[1].renewer.follow().await.unwrap(), "it asks for what nobody signs yet");
    // The only member trusts the new one, and is not certified by it yet.
    world.nodes[0].renewer.follow().await.unwrap();
    world
        .group
        .propose(ControlCommand::EndKeyOverlap { kind: KeyKind::Authority, now: world.clock.now() })
        .await
        .unwrap();
    let (guest, active) = (1, world.committed());
    assert_eq!(active.len(), 1);
    assert!(world.nodes[guest].renewer.follow().await.unwrap());
    // What it shows is still of the one before, which it remembers until it has another certificate.
    assert_eq!(world.under(guest), (vec![first[0].clone(), active[0].clone()], first[0].clone()));
    assert_eq!(world.reloaded(guest).trusted(), [first[0].clone(), active[0].clone()]);
    let member = world.nodes[0].renewer.identity.clone();
    let admission = Admission::new(member, world.group.clone(), Some(world.key.clone()), world.clock.clone());
    world.nodes[guest].renewer.door = Box::new(Way(Some(admission)));
    assert!(world.nodes[guest].renewer.renew_as_guest().await.is_err(), "it took a certificate of the one before");
    world.rounds(&[0]).await;
    world.nodes[guest].renewer.renew_as_guest().await.unwrap();
    assert!(!world.nodes[guest].renewer.follow().await.unwrap());
    assert_eq!(world.under(guest), (active.clone(), active[0].clone()));
    assert_eq!(world.reloaded(guest).trusted(), active);
}
