//! A node that is merely down loses neither replicas nor votes before the grace time is over.

use crate::tests::sim::world::World;
use crate::{Action, Group};
use octopussy_control::{ControlCommand, ControlState};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Reach, ReachabilityPort};

/// Whether `by` has seen `node` down, though for less than the grace time.
fn is_away(world: &World, by: NodeId, node: NodeId) -> bool {
    let reach = world.network.view(by, world.now);
    let down = reach.down_for(node).is_some_and(|down| down < world.limits.grace);
    reach.reach(node) == Reach::Down && down
}

pub(super) fn check_plan(
    world: &World,
    by: Option<NodeId>,
    command: &ControlCommand,
    before: &ControlState,
) -> Result<(), String> {
    let (ControlCommand::Plan { moves, .. }, Some(by)) = (command, by) else { return Ok(()) };
    for (shard, to) in moves {
        let current = before.place(*shard).map(|place| place.current.clone()).unwrap_or_default();
        let full = before.members.values().filter(|member| member.holds_replicas()).count();
        let shrinks = to.nodes().count() < current.nodes().count() && full < current.nodes().count();
        for node in current.nodes().filter(|node| !to.names(*node) && !shrinks) {
            // What was decided a moment ago is judged a moment later: only a clear case counts.
            let long = world.network.view(by, world.now).down_for(node).is_some_and(|down| down.as_millis() > 1_500);
            let wanted = before.members.get(&node).is_some_and(octopussy_control::MemberRecord::holds_replicas);
            if wanted && long && is_away(world, by, node) {
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
    for node in present.difference(voters) {
        let wanted = control.members.get(node).is_some_and(octopussy_control::MemberRecord::holds_replicas);
        if wanted && is_away(world, by, *node) && voters.len() <= present.len() {
            return Err(format!("node {node}, which is only away, loses its vote: {present:?} become {voters:?}"));
        }
    }
    Ok(())
}
