//! Everything comes to an end: the table is where the hashing puts it, every group has exactly the members the table names,
//! its preferred leader leads, and whoever was leaving has left.

use crate::place::largest_odd;
use crate::tests::sim::world::World;
use crate::{Candidate, Group, place};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::MemberDesired;
use std::collections::BTreeSet;

pub(super) fn check(world: &World) -> Result<(), String> {
    let leaving = |member: &&octopussy_control::MemberRecord| member.desired == MemberDesired::Leaving;
    if let Some(member) = world.truth.members.values().find(leaving) {
        let stuck = world.groups.iter().filter(|(_, state)| state.leader.is_none());
        let stuck: Vec<_> = stuck.map(|(group, state)| (group, &state.membership, &state.lost)).collect();
        return Err(format!("{} has not left; gone: {:?}; without a leader: {stuck:?}", member.name, world.gone));
    }
    let full: Vec<_> = world.truth.members.values().filter(|member| member.holds_replicas()).collect();
    let candidates: Vec<_> = full.iter().map(|member| Candidate::from(*member)).collect();
    for (shard, entry) in world.truth.shards() {
        let current = &entry.current;
        if let Some(target) = &entry.target {
            return Err(format!("shard {shard} is at {current:?}, on its way to {target:?}"));
        }
        let ideal = place(shard, &candidates, 3);
        let same = set(&ideal.voters) == set(&current.voters) && set(&ideal.learners) == set(&current.learners);
        if !same {
            return Err(format!("shard {shard} is at {current:?}, belongs at {ideal:?}"));
        }
        group(world, shard)?;
    }
    let control = &world.groups[&Group::Control];
    let votes = control.membership.configs.first().map_or(0, BTreeSet::len);
    if control.membership.configs.len() != 1 || votes != largest_odd(full.len().min(5)) {
        return Err(format!("the control group has {:?} of {} full members", control.membership, full.len()));
    }
    let everybody: BTreeSet<NodeId> = world.truth.members.keys().copied().collect();
    if control.membership.nodes() != everybody || !control.is_committed() {
        return Err("the control group has other members than the cluster".to_owned());
    }
    Ok(())
}

fn set(nodes: &[NodeId]) -> BTreeSet<NodeId> {
    nodes.iter().copied().collect()
}

fn group(world: &World, shard: ShardId) -> Result<(), String> {
    let state = &world.groups[&Group::Shard(shard)];
    let Some(place) = world.truth.place(shard) else { return Err(format!("shard {shard} has no place")) };
    let current = &place.current;
    if state.membership.configs != [set(&current.voters)] || state.membership.learners != set(&current.learners) {
        return Err(format!("shard {shard} has {:?}, the table says {current:?}", state.membership));
    }
    let there = |node: &&NodeId| world.network.up.contains(*node) && world.truth.members.contains_key(*node);
    if let Some(node) = state.held.keys().filter(there).find(|node| !current.names(**node)) {
        return Err(format!("shard {shard} has a replica left on {node}"));
    }
    if state.leader != current.voters.first().copied() {
        return Err(format!("shard {shard} is led by {:?} and not by {:?}", state.leader, current.voters.first()));
    }
    Ok(())
}
