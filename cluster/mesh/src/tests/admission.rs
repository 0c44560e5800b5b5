//! Who is connected with whom.

use super::support::*;
use crate::{BindError, LifeMemory, Mesh, MeshConfig, Refusal};
use octopussy_core::ids::NodeId;
use octopussy_core::lineage::{Conflict, Lineage, Met};
use octopussy_core::ports::{Incarnation, Lane, MeshError, MeshPort, PeerEvent};
use octopussy_core::time::Timestamp;
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn a_peer_that_restarts_elsewhere_is_found_again() {
    let (a, b) = Authority::new().pair();
    let events = Arc::new(Recorder::default());
    let (mesh_a, mesh_b) = (a.bind(1), b.bind(1));
    mesh_a.observe(events.clone());
    connect(&mesh_a, &mesh_b).await;
    let peers = mesh_a.peers();
    assert_eq!(peers.len(), 1);
    assert_eq!((peers[0].incarnation.node, peers[0].address), (b.id, mesh_b.local_addr().unwrap()));
    mesh_b.close().await;
    until("the loss is known", || !mesh_a.is_connected(b.id)).await;
    let mesh_b = b.bind(2);
    mesh_b.serve(Lane::Forward, Gate::default().handler());
    mesh_a.learn(b.id, &[mesh_b.local_addr().unwrap()]);
    both_connected(&mesh_a, &mesh_b).await;
    assert_eq!(mesh_a.call(b.id, Lane::Forward, body("x"), LONG).await, Ok(body("x")));
    let life = |boot| Incarnation { node: b.id, boot };
    let expected = [PeerEvent::Connected(life(1)), PeerEvent::Closed(life(1)), PeerEvent::Connected(life(2))];
    assert_eq!(*events.events.lock(), expected);
}

/// The higher id knows where the lower is, and not the other way round.
#[tokio::test]
async fn the_only_side_that_knows_an_address_dials_and_goes_on_dialing() {
    let (a, b) = Authority::new().pair();
    let (mesh_a, mesh_b) = (a.bind(1), b.bind(1));
    let dead: SocketAddr = "127.0.0.1:9".parse().unwrap();
    mesh_b.learn(a.id, &[dead, mesh_a.local_addr().unwrap()]);
    both_connected(&mesh_a, &mesh_b).await;
    mesh_b.close().await;
    until("the loss is known", || !mesh_a.is_connected(b.id)).await;
    until("it is dialed again", || mesh_a.metrics().other.redials > 0).await;
    let mesh_b = b.bind(2);
    mesh_b.learn(a.id, &[mesh_a.local_addr().unwrap()]);
    both_connected(&mesh_a, &mesh_b).await;
    let counted = mesh_a.metrics().other;
    assert!(counted.connected >= 2 && counted.closed >= 1, "{counted:?}");
    assert!(counted.dials >= counted.redials && counted.dials_failed <= counted.dials, "{counted:?}");
}

#[tokio::test]
async fn a_new_life_replaces_the_old_one_and_the_old_one_is_refused() {
    let (a, b) = Authority::new().pair();
    let mesh_a = a.bind(1);
    let events = Arc::new(Recorder::default());
    mesh_a.observe(events.clone());
    let old = b.bind(5);
    old.serve(Lane::Forward, Gate::default().handler());
    connect(&mesh_a, &old).await;
    let waiting = mesh_a.call(b.id, Lane::Forward, body("wait"), LONG);
    let new = b.bind(6);
    new.learn(a.id, &[mesh_a.local_addr().unwrap()]);
    assert_eq!(waiting.await, Err(MeshError::Lost(b.id)));
    until("the new life is connected", || new.is_connected(a.id)).await;
    let lives: Vec<u64> = mesh_a.peers().iter().map(|peer| peer.incarnation.boot).collect();
    assert_eq!(lives, [6]);
    let life = |boot| Incarnation { node: b.id, boot };
    let expected = [PeerEvent::Connected(life(5)), PeerEvent::Closed(life(5)), PeerEvent::Connected(life(6))];
    assert_eq!(*events.events.lock(), expected);
    until("the old life is refused", || {
        mesh_a.metrics().refused(Refusal::StaleIncarnation) > 0
            && old.metrics().refused_by_peers(Refusal::StaleIncarnation) > 0
    })
    .await;
    assert!(!old.is_connected(a.id));
}

/// What was met stays met, whoever is connected.
#[derive(Debug, Default)]
struct Memory(Mutex<BTreeMap<NodeId, Met>>);

impl LifeMemory for Memory {
    fn meet(&self, node: NodeId, lineage: &Lineage) -> Result<(), Conflict> {
        let mut met = self.0.lock();
        let remembered = lineage.remembered(met.get(&node), Timestamp::EPOCH)?;
        met.insert(node, remembered);
        Ok(())
    }
}

fn living(node: &Node, lineage: &Lineage, memory: &Arc<Memory>) -> Arc<Mesh> {
    Mesh::bind(MeshConfig { lineage: lineage.clone(), memory: Some(memory.clone()), ..node.config(1) }).unwrap()
}

/// The copy is refused by whoever has met the other, whichever of them dials, even by a mesh that has started anew, and neither
/// of the two counts as connected for a moment.
#[tokio::test]
async fn of_two_starts_from_one_home_the_second_is_refused() {
    let (a, b) = Authority::new().pair();
    let (here, there) = (Arc::new(Memory::default()), Arc::new(Memory::default()));
    let mut home = Lineage::first(1, 1, 10);
    let mut copy = home.clone();
    home.begin(11);
    copy.begin(12);
    let mesh_a = living(&a, &Lineage::numbered(1), &here);
    let original = living(&b, &home, &there);
    connect(&mesh_a, &original).await;
    original.close().await;
    mesh_a.close().await;
    for dialed_by_copy in [true, false] {
        let mesh_a = living(&a, &Lineage::numbered(2), &here);
        let second = living(&b, &copy, &Arc::default());
        let events = Arc::new(Recorder::default());
        mesh_a.observe(events.clone());
        second.observe(events.clone());
        if dialed_by_copy {
            second.learn(a.id, &[mesh_a.local_addr().unwrap()]);
        } else {
            mesh_a.learn(b.id, &[second.local_addr().unwrap()]);
        }
        until("the copy hears it", || second.watch_disowned_by().borrow().contains_key(&a.id)).await;
        let said = second.watch_disowned_by().borrow()[&a.id].clone();
        assert!(said.contains("in use elsewhere"), "{said}");
        let refused = mesh_a.impostors();
        assert_eq!((refused.len(), refused[0].node), (1, b.id), "whoever refuses can tell of it");
        assert!(mesh_a.metrics().refused(Refusal::IdentityInUse) > 0);
        assert!(!mesh_a.is_connected(b.id) && !second.is_connected(a.id));
        if !dialed_by_copy {
            assert_eq!(*events.events.lock(), [], "the copy took part for a moment");
        }
    }
}

#[tokio::test]
async fn a_start_that_finds_another_at_its_old_address_is_told_so_and_one_that_finds_itself_is_not() {
    let node = Authority::new().node();
    let mut home = Lineage::first(1, 1, 10);
    let running = living(&node, &home, &Arc::default());
    running.look_for_itself(&[running.local_addr().unwrap()]).await;
    assert!(running.watch_disowned_by().borrow().is_empty());
    // It was copied while it ran.
    home.begin(11);
    let copy = living(&node, &home, &Arc::default());
    copy.look_for_itself(&["127.0.0.1:9".parse().unwrap(), running.local_addr().unwrap()]).await;
    assert!(copy.watch_disowned_by().borrow()[&node.id].contains("in use"));
    assert!(running.watch_disowned_by().borrow().is_empty());
    assert_eq!(running.impostors().len(), 1);
}

async fn never_connected(a: &Mesh, b: &Mesh, reason: &str, done: impl Fn() -> bool) {
    a.learn(id(b), &[b.local_addr().unwrap()]);
    until(reason, done).await;
    assert!(!a.is_connected(id(b)) && !b.is_connected(id(a)), "{reason}");
}

#[tokio::test]
async fn foreigners_are_refused() {
    let authority = Authority::new();
    let (a, b) = authority.pair();
    let mesh_a = a.bind(1);
    // Signed by somebody else, and known to one of both alone.
    let stranger = Authority::new().node().bind(1);
    never_connected(&mesh_a, &stranger, "a foreign authority", || mesh_a.metrics().other.dials_failed > 0).await;
    let stranger = Authority::new().node().bind(1);
    stranger.learn(a.id, &[mesh_a.local_addr().unwrap()]);
    until("the other direction fails", || {
        let (here, there) = (mesh_a.metrics().other, stranger.metrics().other);
        there.dials_failed > 0 && here.handshakes_failed + there.handshakes_failed > 0
    })
    .await;
    assert!(mesh_a.peers().is_empty() && stranger.peers().is_empty());
    // Of another cluster.
    let mut config = b.config(1);
    config.cluster = Arc::from("another");
    let foreign = Mesh::bind(config).unwrap();
    never_connected(&mesh_a, &foreign, "another cluster", || {
        foreign.metrics().refused(Refusal::ForeignCluster) > 0
            && mesh_a.metrics().refused_by_peers(Refusal::ForeignCluster) > 0
    })
    .await;
    // Without a version in common.
    let c = authority.node();
    let mut config = c.config(1);
    config.versions = 7..=9;
    let newer = Mesh::bind(config).unwrap();
    newer.learn(a.id, &[mesh_a.local_addr().unwrap()]);
    never_connected(&mesh_a, &newer, "another version", || {
        let (here, there) = (mesh_a.metrics(), newer.metrics());
        here.refused(Refusal::IncompatibleVersion) + there.refused(Refusal::IncompatibleVersion) > 0
            && here.refused_by_peers(Refusal::IncompatibleVersion)
                + there.refused_by_peers(Refusal::IncompatibleVersion)
                > 0
    })
    .await;
}

#[tokio::test]
async fn the_node_at_an_address_has_to_be_the_one_that_was_expected() {
    let authority = Authority::new();
    let (a, b, c) = (authority.node(), authority.node().bind(1), authority.node());
    let mesh = a.bind(1);
    mesh.learn(c.id, &[b.local_addr().unwrap()]);
    until("it is refused", || mesh.metrics().refused(Refusal::WrongIdentity) > 0).await;
    assert!(!mesh.is_connected(c.id) && !mesh.is_connected(id(&b)));
}

#[tokio::test]
async fn a_forgotten_node_is_disconnected_and_refused_until_it_is_learned_again() {
    let (a, b) = two().await;
    a.forget(id(&b));
    until("it is disconnected", || !a.is_connected(id(&b))).await;
    b.learn(id(&a), &[a.local_addr().unwrap()]);
    until("it is refused", || {
        a.metrics().refused(Refusal::Forgotten) > 0 && b.metrics().refused_by_peers(Refusal::Forgotten) > 0
    })
    .await;
    assert!(!a.is_connected(id(&b)));
    assert_eq!(*b.watch_forgotten_by().borrow(), [id(&a)].into(), "b knows whose word it is");
    assert!(a.watch_forgotten_by().borrow().is_empty(), "b has not forgotten a");
    a.learn(id(&b), &[b.local_addr().unwrap()]);
    both_connected(&a, &b).await;
}

/// Both dial at the same moment, over and over; one connection is left, and no call on it fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_become_one() {
    let authority = Authority::new();
    for _ in 0..5 {
        let (a, b) = authority.pair();
        let (a, b) = (a.bind(1), b.bind(1));
        let (events, gate) = (Arc::new(Recorder::default()), Gate::default());
        a.observe(events.clone());
        a.serve(Lane::Forward, gate.handler());
        b.serve(Lane::Forward, gate.handler());
        let (address_a, address_b) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        tokio::join!(a.dial_now(id(&b), address_b), b.dial_now(id(&a), address_a));
        both_connected(&a, &b).await;
        a.learn(id(&b), &[address_b]);
        b.learn(id(&a), &[address_a]);
        until("one connection is left", || {
            for (from, to) in [(&a, &b), (&b, &a)] {
                drop(from.call(id(to), Lane::Forward, body("x"), LONG));
            }
            a.open_connections() == 1 && b.open_connections() == 1
        })
        .await;
        let (there, back) = (
            a.call(id(&b), Lane::Forward, body("x"), Duration::from_secs(5)),
            b.call(id(&a), Lane::Forward, body("y"), Duration::from_secs(5)),
        );
        assert_eq!((there.await, back.await), (Ok(body("x")), Ok(body("y"))));
        let connected = PeerEvent::Connected(b.incarnation());
        assert_eq!(*events.events.lock(), [connected], "observers see one connection");
    }
}

#[tokio::test]
async fn renewed_certificates_are_shown_and_another_key_is_refused() {
    let authority = Authority::new();
    let (a, b) = authority.pair();
    let (mesh_a, mesh_b) = (a.bind(1), b.bind(1));
    let renewed = authority.renew(&b);
    assert_eq!(renewed.id, b.id);
    assert_ne!(renewed.certificates.certificate, b.certificates.certificate);
    mesh_b.renew(&renewed.certificates).unwrap();
    assert!(matches!(mesh_b.renew(&authority.node().certificates), Err(BindError::Certificates(_))));
    connect(&mesh_a, &mesh_b).await;
    let connection = mesh_a.connection(b.id).unwrap();
    let shown = connection.peer_identity().unwrap().downcast::<Vec<CertificateDer<'static>>>().unwrap();
    assert_eq!(shown[0], renewed.certificates.certificate);
}

/// Nothing of a mesh that was closed and dropped is left: its socket is free.
#[tokio::test]
async fn a_closed_mesh_leaves_nothing_behind() {
    let (a, b) = two().await;
    b.serve(Lane::Forward, Gate::default().handler());
    assert_eq!(a.call(id(&b), Lane::Forward, body("x"), LONG).await, Ok(body("x")));
    let (address, watch) = (a.local_addr().unwrap(), a.watch());
    assert!(std::net::UdpSocket::bind(address).is_err());
    a.close().await;
    drop(a);
    until("all tasks have ended", || watch() == 0).await;
    until("the socket is free", || std::net::UdpSocket::bind(address).is_ok()).await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_once() {
    let node = Authority::new().node();
    let mesh = node.bind(1);
    let mut taken = node.config(1);
    taken.listen = mesh.local_addr().unwrap();
    assert!(matches!(Mesh::bind(taken), Err(BindError::Listen { .. })));
    let mut hasty = node.config(1);
    hasty.keep_alive = hasty.idle_timeout;
    assert!(matches!(Mesh::bind(hasty), Err(BindError::Config(_))));
    let mut mixed = node.config(1);
    mixed.certificates.key = Authority::new().node().certificates.key;
    assert!(matches!(Mesh::bind(mixed), Err(BindError::Certificates(_))));
}
