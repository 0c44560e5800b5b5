//! The shell over a mesh in memory, in paused time.

use crate::{AddressObserver, Membership, MembershipError, Settings};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Reach, ReachabilityPort};
use octopussy_mesh::memory::Network;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const fn id(number: u8) -> NodeId {
    NodeId([number; 16])
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 47_210))
}

#[derive(Default)]
struct Learned(Mutex<Vec<(NodeId, SocketAddr)>>);

impl AddressObserver for Learned {
    fn learned(&self, node: NodeId, address: SocketAddr) {
        self.0.lock().push((node, address));
    }
}

struct Node {
    membership: Arc<Membership>,
    learned: Arc<Learned>,
}

fn start(network: &Network, number: u8, boot: u64) -> Node {
    let (mesh, learned) = (network.node(id(number), boot), Arc::new(Learned::default()));
    let observer = Some(Arc::clone(&learned) as Arc<dyn AddressObserver>);
    let membership = Membership::start(mesh, Some(address(number)), Settings::standard(), observer).unwrap();
    Node { membership, learned }
}

fn cluster(seed: u64, nodes: u8) -> (Network, Vec<Node>) {
    let network = Network::new(seed);
    network.set_latency(Duration::from_millis(1)..=Duration::from_millis(5));
    network.set_loss(0.05, 0.05);
    let nodes = (1..=nodes).map(|number| start(&network, number, 1)).collect();
    (network, nodes)
}

/// Waits until `node` sees `of` so, in this life.
async fn sees(node: &Node, of: u8, boot: u64, reach: Reach, within: Duration) {
    let mut changes = node.membership.watch();
    let seen = changes.wait_for(|view| {
        view.members.get(&id(of)).is_some_and(|member| member.reach == reach && member.incarnation.boot == boot)
    });
    let seen = timeout(within, seen).await;
    assert!(seen.is_ok(), "node {of} is {reach:?} within {within:?}: {:#?}", node.membership.view());
}

async fn all_see_all(nodes: &[Node]) {
    for (by, node) in (1..).zip(nodes) {
        for of in (1..=u8::try_from(nodes.len()).unwrap()).filter(|of| *of != by) {
            sees(node, of, 1, Reach::Alive, Duration::from_secs(3)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_see_each_other_and_learn_where_they_listen() {
    let (_network, nodes) = cluster(1, 5);
    all_see_all(&nodes).await;
    let mut learned = nodes[0].learned.0.lock().clone();
    learned.sort_unstable();
    assert_eq!(learned, (2..=5).map(|number| (id(number), address(number))).collect::<Vec<_>>());
    let reach = |of| nodes[0].membership.reach(id(of));
    assert_eq!((reach(1), reach(2), reach(9)), (Reach::Alive, Reach::Alive, Reach::Unknown));
    assert_eq!(nodes[0].membership.down_for(id(2)), None);
}

#[tokio::test(start_paused = true)]
async fn a_crashed_node_is_down_and_the_time_is_counted() {
    let (network, nodes) = cluster(2, 5);
    all_see_all(&nodes).await;
    network.stop(id(5));
    for node in &nodes[..4] {
        sees(node, 5, 1, Reach::Down, Duration::from_secs(5)).await;
    }
    let before = nodes[0].membership.down_for(id(5)).expect("it is down");
    tokio::time::sleep(Duration::from_secs(300)).await;
    let after = nodes[0].membership.down_for(id(5)).expect("it is down still");
    assert_eq!(after - before, Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_makes_its_peer_a_suspect_at_once() {
    let (network, nodes) = cluster(3, 3);
    all_see_all(&nodes).await;
    network.get(id(3)).unwrap().close();
    for node in &nodes[..2] {
        sees(node, 3, 1, Reach::Suspect, Duration::from_millis(20)).await;
    }
    for node in &nodes[..2] {
        sees(node, 3, 1, Reach::Down, Duration::from_millis(1_500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_supersedes_its_earlier_life() {
    let (network, mut nodes) = cluster(4, 5);
    all_see_all(&nodes).await;
    network.stop(id(2));
    nodes[1] = start(&network, 2, 2);
    for node in [&nodes[0], &nodes[2], &nodes[3], &nodes[4]] {
        sees(node, 2, 2, Reach::Alive, Duration::from_secs(3)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_is_down_everywhere_soon_and_stays_so() {
    let (network, nodes) = cluster(5, 5);
    all_see_all(&nodes).await;
    timeout(Duration::from_secs(1), nodes[4].membership.leave()).await.expect("leaving takes at most a second");
    for node in &nodes[..4] {
        sees(node, 5, 1, Reach::Down, Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(nodes[..4].iter().all(|node| node.membership.reach(id(5)) == Reach::Down));
    drop(network);
}

#[tokio::test(start_paused = true)]
async fn a_partition_heals() {
    let (network, nodes) = cluster(6, 4);
    all_see_all(&nodes).await;
    network.isolate(&[id(1), id(2)]);
    sees(&nodes[0], 4, 1, Reach::Down, Duration::from_secs(6)).await;
    sees(&nodes[3], 1, 1, Reach::Down, Duration::from_secs(6)).await;
    assert_eq!(nodes[0].membership.reach(id(2)), Reach::Alive);
    network.heal_all();
    all_see_all(&nodes).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_node_is_forgotten() {
    let (network, nodes) = cluster(7, 3);
    all_see_all(&nodes).await;
    network.stop(id(3));
    nodes[0].membership.forget(id(3));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(nodes[0].membership.reach(id(3)), Reach::Unknown);
    assert_eq!(nodes[1].membership.reach(id(3)), Reach::Down);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_listens_elsewhere_tells_so() {
    let (_network, nodes) = cluster(8, 3);
    all_see_all(&nodes).await;
    nodes[2].membership.set_address(Some(address(99)));
    let mut changes = nodes[0].membership.watch();
    let told = changes.wait_for(|view| view.members[&id(3)].address == Some(address(99)));
    timeout(Duration::from_secs(3), told).await.expect("it is told").unwrap();
    assert!(nodes[0].learned.0.lock().contains(&(id(3), address(99))));
    all_see_all(&nodes).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_dropped_stops_it() {
    let (network, mut nodes) = cluster(9, 3);
    all_see_all(&nodes).await;
    let gone = nodes.pop().unwrap();
    let weak = Arc::downgrade(&gone.membership);
    drop(gone);
    assert!(weak.upgrade().is_none(), "neither the mesh nor a task keeps it");
    sees(&nodes[0], 3, 1, Reach::Down, Duration::from_secs(5)).await;
    drop(network);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let settings = Settings { probe_rtt: Duration::from_secs(1), ..Settings::standard() };
    let refused = Membership::start(Network::new(1).node(id(1), 1), None, settings, None);
    assert!(matches!(refused, Err(MembershipError::Settings(_))), "{refused:?}");
}
