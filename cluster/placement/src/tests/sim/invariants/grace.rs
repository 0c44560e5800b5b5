//! A node that is merely down loses neither replicas nor votes before the grace time is over.

use crate::tests::sim::world::World;
use crate::{Action, Group};
use octopussy_control::ControlCommand;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Reach, ReachabilityPort};

/// Whether `by` has seen `node` down, though for less than the grace time.
fn is_away(world: &World, by: NodeId, node: NodeId) -> bool {
    let reach = world.network.view(by, world.now);
    let down = reach.down_for(node).is_some_and(|down| down < world.limits.grace);
    reach.reach(node) == Reach::Down && down
}

pub(super) fn check_plan(world: &World, by: NodeId, action: &Action) -> Result<(), String> {
    let Action::Propose(ControlCommand::Plan { moves, .. }) = action else { return Ok(()) };
    let known = &world.copies[&by];
    let full = known.members.values().filter(|member| member.holds_replicas()).count();
    for (shard, to) in moves {
        let current = known.place(*shard).map(|place| place.current.clone()).unwrap_or_default();
        let shrinks = to.nodes().count() < current.nodes().count() && full < current.nodes().count();
        for node in current.nodes().filter(|node| !to.names(*node) && !shrinks) {
            let wanted = known.members.get(&node).is_some_and(octopussy_control::MemberRecord::holds_replicas);
            if wanted && is_away(world, by, node) {
                return Err(format!("shard {shard} leaves node {node}, which is only away"));
            }
        }
    }
    Ok(())
}

pub(super) fn check_voters(world: &World, by: NodeId, action: &Action) -> Result<(), String> {
    let Action::SetMembers { group: Group::Control, voters, .. } = action else { return Ok(()) };
    let group = &world.groups[&Group::Control];
    let control = &world.copies[&by];
    let Some(present) = group.membership.configs.last() else { return Ok(()) };
    let reach = world.network.view(by, world.now);
    let dead = |node: NodeId| reach.down_for(node).is_some_and(|down| down >= world.limits.grace);
    let full = control.members.values().filter(|member| member.holds_replicas());
    let full = full.filter(|member| present.contains(&member.id) || !dead(member.id)).count();
    if voters.len() < present.len() && full < present.len() {
        return Ok(());
    }
    // One that had lost what it had was taken out and nobody can take its place: of an even number one vote helps nobody.
    if present.len().is_multiple_of(2) && voters.len() + 1 == present.len() {
        return Ok(());
    }
    for node in present.difference(voters) {
        let wanted = control.members.get(node).is_some_and(octopussy_control::MemberRecord::holds_replicas);
        // Whoever has lost what it had has no vote that is worth keeping.
        let wanted = wanted && !group.lost.contains(node);
        if wanted && is_away(world, by, *node) && voters.len() <= present.len() {
            return Err(format!("node {node}, which is only away, loses its vote: {present:?} become {voters:?}"));
        }
    }
    Ok(())
}
