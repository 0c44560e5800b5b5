//! Once everything is settled, the replicas of a shard are in as many zones as there are.

use crate::tests::sim::world::World;
use octopussy_core::ids::NodeId;
use std::collections::BTreeSet;

pub(super) fn check(world: &World) -> Result<(), String> {
    let zone = |node: NodeId| {
        let zone = world.truth.members.get(&node).and_then(|member| member.zone.clone());
        zone.unwrap_or_else(|| format!("{node}"))
    };
    let full = world.truth.members.values().filter(|member| member.holds_replicas());
    let zones = full.map(|member| zone(member.id)).collect::<BTreeSet<_>>().len();
    for (shard, place) in world.truth.shards() {
        let used = place.current.nodes().map(zone).collect::<BTreeSet<_>>().len();
        let replicas = place.current.nodes().count();
        if used < zones.min(replicas) {
            return Err(format!("shard {shard} is in {used} zones, there are {zones}"));
        }
    }
    Ok(())
}
