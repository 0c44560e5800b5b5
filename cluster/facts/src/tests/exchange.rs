use super::limits::facts;
use crate::{Facts, FactsConfig};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{MeshPort, NodeFactsView};
use octopussy_mesh::memory::Network;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const fn id(number: u8) -> NodeId {
    NodeId([number; 16])
}

fn start(network: &Network, number: u8, boot: u64) -> Arc<Facts> {
    let mesh = network.node(id(number), boot);
    Facts::start(mesh, &FactsConfig::default()).unwrap()
}

/// Facts that differ from node to node.
fn own(number: u8) -> NodeFactsView {
    facts(usize::from(number))
}

/// Waits until `facts` knows exactly `expected`.
async fn knows(facts: &Facts, expected: impl Fn(NodeId) -> Option<NodeFactsView>, nodes: &[u8], within: Duration) {
    let mut changes = facts.watch();
    let known =
        changes.wait_for(|all| nodes.iter().all(|number| all.get(&id(*number)).cloned() == expected(id(*number))));
    let known = timeout(within, known).await;
    assert!(known.is_ok(), "known within {within:?}: {:#?}", facts.all());
}

fn told(node: NodeId) -> Option<NodeFactsView> {
    Some(own(node.0[0]))
}

#[tokio::test(start_paused = true)]
async fn what_a_node_tells_is_known_everywhere_at_once() {
    let network = Network::new(1);
    network.set_latency(Duration::from_millis(1)..=Duration::from_millis(5));
    let (a, b, c) = (start(&network, 1, 1), start(&network, 2, 1), start(&network, 3, 1));
    for (facts, number) in [(&a, 1), (&b, 2), (&c, 3)] {
        facts.set(&own(number)).unwrap();
    }
    for facts in [&a, &b, &c] {
        knows(facts, told, &[1, 2, 3], Duration::from_secs(1)).await;
    }
    // A change too.
    a.set(&NodeFactsView { load: 0.75, ..own(1) }).unwrap();
    for facts in [&b, &c] {
        knows(facts, |_| Some(NodeFactsView { load: 0.75, ..own(1) }), &[1], Duration::from_secs(1)).await;
    }
    assert_eq!(a.of(id(9)), None);
}

#[tokio::test(start_paused = true)]
async fn lost_messages_are_made_good() {
    let network = Network::new(2);
    network.set_latency(Duration::from_millis(1)..=Duration::from_millis(5));
    network.set_loss(0.0, 0.3);
    let mut nodes = Vec::new();
    for number in 1..=10 {
        let facts = start(&network, number, 1);
        facts.set(&own(number)).unwrap();
        nodes.push(facts);
    }
    let all: Vec<u8> = (1..=10).collect();
    for facts in &nodes {
        knows(facts, told, &all, Duration::from_secs(300)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_is_known_by_what_its_new_life_tells() {
    let network = Network::new(3);
    let (a, b) = (start(&network, 1, 1), start(&network, 2, 1));
    b.set(&own(2)).unwrap();
    knows(&a, told, &[2], Duration::from_secs(1)).await;
    network.stop(id(2));
    drop(b);
    let b = start(&network, 2, 2);
    b.set(&own(5)).unwrap();
    knows(&a, |_| Some(own(5)), &[2], Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_is_forgotten_after_the_grace_and_not_before() {
    let network = Network::new(4);
    let (a, b) = (start(&network, 1, 1), start(&network, 2, 1));
    b.set(&own(2)).unwrap();
    knows(&a, told, &[2], Duration::from_secs(1)).await;
    network.stop(id(2));
    drop(b);
    tokio::time::sleep(Duration::from_secs(14 * 60)).await;
    assert_eq!(a.of(id(2)), Some(own(2)), "it is kept for a while");
    knows(&a, |_| None, &[2], Duration::from_secs(10 * 60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_made_good() {
    let network = Network::new(5);
    let (a, b) = (start(&network, 1, 1), start(&network, 2, 1));
    network.partition(id(1), id(2));
    a.set(&own(1)).unwrap();
    b.set(&own(2)).unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!((a.of(id(2)), b.of(id(1))), (None, None));
    network.heal_all();
    knows(&a, told, &[1, 2], Duration::from_secs(20)).await;
    knows(&b, told, &[1, 2], Duration::from_secs(20)).await;
}

/// Whatever a node says is taken as said of itself: there is no way to say anything of another.
#[tokio::test(start_paused = true)]
async fn nobody_tells_anything_of_others() {
    let network = Network::new(6);
    let a = start(&network, 1, 1);
    let (b, liar) = (start(&network, 2, 1), network.node(id(3), 1));
    b.set(&own(2)).unwrap();
    knows(&a, told, &[2], Duration::from_secs(1)).await;
    // A word of node 2, of a later life at that, as node 3 sends it.
    let fitted = crate::records::fit(&own(9)).unwrap();
    let word = crate::message::Told { boot: u64::MAX, number: u64::MAX, node: Some(fitted.node), load: fitted.load };
    liar.gossip(id(1), crate::message::write(&word).unwrap().into()).unwrap();
    knows(&a, |node| Some(own(if node == id(3) { 9 } else { 2 })), &[2, 3], Duration::from_secs(1)).await;
}
