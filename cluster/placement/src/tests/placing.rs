//! Rendezvous hashing: balanced by weight, stable under change, apart in zones.

use super::support::node;
use crate::{Candidate, place};
use octopussy_control::ReplicaSet;
use octopussy_core::ids::{NodeId, ShardId};
use std::collections::{BTreeMap, BTreeSet};

const SHARDS: u16 = 1024;

fn plain(numbers: std::ops::RangeInclusive<u8>) -> Vec<Candidate<'static>> {
    numbers.map(|number| Candidate { node: node(number), capacity: 1, zone: None }).collect()
}

fn table(members: &[Candidate<'_>], replication: u8) -> Vec<ReplicaSet> {
    (0..SHARDS).map(|shard| place(ShardId(shard), members, replication)).collect()
}

fn shares(firsts: impl Iterator<Item = NodeId>) -> BTreeMap<NodeId, u32> {
    let mut counts = BTreeMap::new();
    firsts.for_each(|node| *counts.entry(node).or_default() += 1);
    counts
}

#[test]
fn the_number_of_replicas_follows_the_members() {
    let expected = [
        (0, 3, 0, 0),
        (1, 3, 1, 0),
        (2, 3, 1, 1),
        (3, 3, 3, 0),
        (9, 3, 3, 0),
        (3, 5, 3, 0),
        (4, 5, 3, 1),
        (5, 5, 5, 0),
    ];
    for (members, replication, voters, learners) in expected {
        let set = place(ShardId(3), &plain(1..=members), replication);
        assert_eq!((set.voters.len(), set.learners.len()), (voters, learners), "{members} members, RF {replication}");
        assert_eq!(set.nodes().collect::<BTreeSet<_>>().len(), voters + learners);
    }
    assert_eq!(place(ShardId(3), &plain(1..=4), 1).voters.len(), 1);
    assert_eq!(place(ShardId(3), &plain(1..=4), 0).voters.len(), 1);
}

#[test]
fn shares_follow_the_weights() {
    let weights = [1_u32, 1, 2, 4];
    let members: Vec<_> =
        (1..).zip(weights).map(|(number, capacity)| Candidate { node: node(number), capacity, zone: None }).collect();
    let counts = shares(table(&members, 1).iter().map(|set| set.voters[0]));
    for (member, weight) in members.iter().zip(weights) {
        let expected = f64::from(SHARDS) * f64::from(weight) / 8.0;
        let actual = f64::from(counts[&member.node]);
        // Four standard deviations of a binomial distribution.
        let slack = 4.0 * (expected * (1.0 - f64::from(weight) / 8.0)).sqrt();
        assert!((actual - expected).abs() < slack, "weight {weight}: {actual} instead of {expected} ± {slack}");
    }
}

#[test]
fn a_node_that_comes_takes_one_replica_of_a_shard_and_one_that_goes_gives_only_its_own() {
    let (few, many) = (table(&plain(1..=6), 3), table(&plain(1..=7), 3));
    let mut changed = 0_u32;
    for (before, after) in few.iter().zip(&many) {
        let old: BTreeSet<_> = before.nodes().collect();
        let new: BTreeSet<_> = after.nodes().collect();
        let come: Vec<_> = new.difference(&old).collect();
        assert!(come.is_empty() || come == [&node(7)], "{before:?} {after:?}");
        changed += u32::try_from(come.len()).unwrap();
        // The order of those who stay is the same.
        let stay =
            |set: &ReplicaSet| set.nodes().filter(|node| old.contains(node) && new.contains(node)).collect::<Vec<_>>();
        assert_eq!(stay(before), stay(after));
    }
    let expected = f64::from(SHARDS) * 3.0 / 7.0;
    assert!((f64::from(changed) - expected).abs() < 4.0 * expected.sqrt(), "{changed} instead of {expected}");
}

#[test]
fn a_heavier_node_only_gains() {
    let before = plain(1..=5);
    let mut after = before.clone();
    after[2].capacity = 3;
    for (old, new) in table(&before, 3).iter().zip(&table(&after, 3)) {
        let new_nodes: BTreeSet<_> = new.nodes().collect();
        let lost = old.nodes().filter(|node| !new_nodes.contains(node)).collect::<Vec<_>>();
        assert!(!lost.contains(&node(3)));
        assert!(lost.is_empty() || new_nodes.contains(&node(3)), "a move between two nodes that have not changed");
    }
}

#[test]
fn replicas_are_in_different_zones_while_there_are_enough() {
    let zones = ["attic", "attic", "attic", "cellar", "cellar", "garden"];
    let members: Vec<_> = (1..)
        .zip(zones)
        .map(|(number, zone)| Candidate { node: node(number), capacity: 1, zone: Some(zone) })
        .collect();
    let zone_of = |node: &NodeId| members.iter().find(|member| member.node == *node).unwrap().zone.unwrap();
    for set in table(&members, 3) {
        assert_eq!(set.voters.iter().map(zone_of).collect::<BTreeSet<_>>().len(), 3, "{set:?}");
    }
    for set in table(&members[..5], 3) {
        assert_eq!(set.voters.iter().map(zone_of).collect::<BTreeSet<_>>().len(), 2, "{set:?}");
        assert_eq!(set.voters.len(), 3);
    }
}

/// Pinned: a change here moves shards in every cluster that exists.
#[test]
fn the_table_of_a_given_cluster_never_changes() {
    let firsts: Vec<u8> = table(&plain(1..=5), 3)[..16].iter().map(|set| set.voters[0].0[0]).collect();
    assert_eq!(firsts, [5, 1, 5, 3, 3, 4, 1, 2, 2, 3, 5, 2, 4, 2, 5, 5]);
}
