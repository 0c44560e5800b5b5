//! Once everything is settled, nobody has anything left to do, and preferred leaders are spread by weight: no head could
//! move to another of its shard's voters and leave both nodes less loaded than the more loaded one was.

use crate::tests::sim::world::World;
use octopussy_core::ids::NodeId;
use std::collections::BTreeMap;

pub(super) fn check(world: &World) -> Result<(), String> {
    for node in &world.network.up {
        if world.copies[node].version != world.truth.version || world.truth.departed.contains_key(node) {
            continue;
        }
        let actions = world.actions(*node);
        if !actions.is_empty() {
            return Err(format!("node {node} still wants {actions:?}"));
        }
    }
    let mut loads: BTreeMap<NodeId, u64> = BTreeMap::new();
    for place in &world.truth.table {
        *loads.entry(place.current.voters[0]).or_default() += 1;
    }
    let load = |node: &NodeId| loads.get(node).copied().unwrap_or(0);
    let weight = |node: &NodeId| u64::from(world.truth.members[node].capacity);
    for (shard, place) in world.truth.shards() {
        let (head, rest) = place.current.voters.split_first().ok_or("no voters")?;
        if let Some(idler) = rest.iter().find(|node| load(head) * weight(node) > (load(node) + 1) * weight(head)) {
            return Err(format!("shard {shard} is led by {head}, though {idler} has less to do"));
        }
    }
    Ok(())
}
