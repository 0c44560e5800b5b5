//! The order against what it has to guarantee, over random requirement graphs.

use super::{GraphError, Node, Phase, find_cycle, share, start_order};
use octopussy_core::capability::{COUNT, CapabilityId, Layer, MAP, START_ORDER};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

fn node(number: usize, requires: &[usize]) -> Node {
    let requires = requires.iter().map(|number| MAP[*number].id).collect();
    Node { id: MAP[number].id, layer: Layer::Infrastructure, requires }
}

fn whole_map() -> Vec<Node> {
    MAP.iter().map(|row| Node { id: row.id, layer: row.layer, requires: row.requires.to_vec() }).collect()
}

/// Nodes 0..n with random edges in any direction, in random order.
fn graphs() -> impl Strategy<Value = Vec<Node>> {
    (1..=COUNT)
        .prop_flat_map(|count| {
            let edges = prop::collection::vec((0..count, 0..count), 0..count * 2);
            (Just(count), edges)
        })
        .prop_map(|(count, edges)| {
            let required = |number| {
                let targets: BTreeSet<_> =
                    edges.iter().filter(|(from, _)| *from == number).map(|(_, to)| *to).collect();
                targets.into_iter().collect::<Vec<_>>()
            };
            (0..count).map(|number| node(number, &required(number))).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

proptest! {
    #[test]
    fn every_graph_has_either_an_order_or_a_circle(nodes in graphs()) {
        match start_order(&nodes) {
            Ok(order) => {
                prop_assert_eq!(find_cycle(&nodes), None);
                assert_order(&nodes, &order)?;
            }
            Err(GraphError::Circular(path)) => {
                prop_assert_eq!(find_cycle(&nodes), Some(path.clone()));
                let members = path.members();
                prop_assert!(members.len() >= 2);
                prop_assert_eq!(members.first(), members.last());
                for step in members.windows(2) {
                    let from = nodes.iter().find(|node| node.id == step[0]);
                    prop_assert!(from.is_some_and(|node| node.requires.contains(&step[1])), "{} is no path", path);
                }
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn the_order_does_not_depend_on_who_registered_first(nodes in graphs()) {
        let mut sorted = nodes.clone();
        sorted.sort_by_key(|node| node.id);
        prop_assert_eq!(start_order(&nodes), start_order(&sorted));
    }

    #[test]
    fn the_shares_never_exceed_the_deadline(total in 0u64..100_000, left in 1usize..30) {
        let mut remaining = Duration::from_millis(total);
        for left in (1..=left).rev() {
            let part = share(remaining, left);
            prop_assert!(part <= remaining);
            prop_assert!(part >= remaining / u32::try_from(left).unwrap());
            remaining -= part;
        }
        prop_assert_eq!(remaining, Duration::ZERO);
    }
}

/// Every provider comes before whoever requires it, and nothing comes later than it had to: at each place stands the
/// lowest-numbered of those that were ready.
fn assert_order(nodes: &[Node], order: &[CapabilityId]) -> Result<(), TestCaseError> {
    prop_assert_eq!(order.len(), nodes.len());
    let mut started = BTreeSet::new();
    for id in order {
        let ready = |node: &&Node| !started.contains(&node.id) && node.requires.iter().all(|it| started.contains(it));
        let lowest = nodes.iter().filter(ready).map(|node| node.id).min();
        prop_assert_eq!(Some(*id), lowest);
        started.insert(*id);
    }
    Ok(())
}

#[test]
fn a_share_of_nothing_is_nothing() {
    assert_eq!(share(Duration::from_secs(9), 0), Duration::ZERO);
}

#[test]
fn the_map_starts_in_the_order_computed_at_compile_time() {
    assert_eq!(start_order(&whole_map()).unwrap(), START_ORDER);
    let numbers: Vec<u8> = START_ORDER.iter().map(|id| id.number()).collect();
    assert_eq!(numbers, (1..=27).collect::<Vec<u8>>());
}

#[test]
fn the_map_is_what_the_golden_file_says() {
    let mut text = String::from("start order\n");
    for id in START_ORDER {
        writeln!(text, "  {:>2} {id}", id.number()).unwrap();
    }
    text.push_str("\nrequirements\n");
    for row in MAP {
        let requires: Vec<_> = row.requires.iter().map(|id| id.name()).collect();
        writeln!(text, "  {} ({:?}, {:?}): {}", row.id, row.layer, row.criticality, requires.join(" ")).unwrap();
    }
    insta::assert_snapshot!("capability_map", text);
}

#[test]
fn a_duplicate_is_named() {
    let nodes = [node(0, &[]), node(1, &[]), node(0, &[])];
    assert_eq!(start_order(&nodes), Err(GraphError::Duplicate(CapabilityId::Secrets)));
}

#[test]
fn an_unknown_provider_is_not_a_circle() {
    let nodes = [node(0, &[1]), node(2, &[0])];
    let (capability, provider) = (CapabilityId::Secrets, CapabilityId::Configuration);
    assert_eq!(start_order(&nodes), Err(GraphError::Unknown { capability, provider }));
    assert_eq!(find_cycle(&nodes), None);
}

#[test]
fn a_circle_is_told_from_its_lowest_member_and_without_its_tail() {
    // 3 hangs behind the circle 0 → 2 → 1 → 0 and is no part of it.
    let nodes = [node(3, &[2]), node(2, &[1]), node(1, &[0]), node(0, &[2])];
    let path = find_cycle(&nodes).unwrap();
    assert_eq!(path.to_string(), "secrets → observability → configuration → secrets");
    let alone = find_cycle(&[node(4, &[4])]).unwrap();
    assert_eq!(alone.to_string(), "messaging → messaging");
}

#[test]
fn an_upward_requirement_is_refused() {
    let mut nodes = whole_map();
    // Secrets requiring the web interface would be a circle; the plugin manager requiring tools is only upward.
    nodes.retain(|node| node.id != CapabilityId::ToolRegistry);
    nodes.push(Node { id: CapabilityId::ToolRegistry, layer: Layer::Execution, requires: vec![] });
    for node in &mut nodes {
        if node.id == CapabilityId::Plugin {
            node.requires.push(CapabilityId::ToolRegistry);
        }
    }
    let (capability, provider) = (CapabilityId::Plugin, CapabilityId::ToolRegistry);
    assert_eq!(start_order(&nodes), Err(GraphError::Upward { capability, provider }));
}

#[test]
fn the_way_through_the_phases_has_no_short_cut() {
    let way = &Phase::ALL[..8];
    for (position, phase) in way.iter().enumerate() {
        for (other, next) in way.iter().enumerate() {
            let never_started = *next == Phase::Ended && position < 3;
            assert_eq!(phase.may_become(*next), other == position + 1 || never_started, "{phase} → {next}");
        }
        assert_eq!(phase.may_become(Phase::Failed), position < 5, "{phase} → failed");
    }
    assert!(!Phase::Failed.may_become(Phase::Runtime), "nothing comes back by itself");
}
