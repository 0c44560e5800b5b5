//! Guests hold no replica and no vote, and nobody asks a node that has left.

use crate::tests::sim::world::World;
use crate::{Action, Group};
use octopussy_control::MemberRecord;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberRole;

fn is_guest(world: &World, node: NodeId) -> bool {
    world.truth.members.get(&node).is_some_and(|member| member.role == MemberRole::Guest)
}

pub(super) fn check_action(world: &World, by: NodeId, action: &Action) -> Result<(), String> {
    let known = &world.copies[&by];
    match action {
        Action::Propose(octopussy_control::ControlCommand::Plan { moves, .. }) => {
            for (shard, place) in moves {
                let current = &known.place(*shard).ok_or("an unknown shard moves")?.current;
                let unfit = |node: &NodeId| !known.members.get(node).is_some_and(MemberRecord::holds_replicas);
                if let Some(node) = place.nodes().find(|node| unfit(node) && !current.names(*node)) {
                    return Err(format!("shard {shard} is to move to {node}, which is to hold nothing"));
                }
            }
            Ok(())
        }
        Action::AddLearner { node, .. } if known.departed.contains_key(node) => {
            Err(format!("{node} has left and is asked to follow"))
        }
        Action::Propose(_) | Action::AddLearner { .. } | Action::SetMembers { .. } | Action::Transfer { .. } => Ok(()),
    }
}

pub(super) fn check_groups(world: &World) -> Result<(), String> {
    for (group, state) in &world.groups {
        let strangers = |node: &NodeId| match group {
            Group::Control => is_guest(world, *node) && state.membership.votes(*node),
            Group::Shard(_) => is_guest(world, *node),
        };
        if let Some(guest) = state.membership.nodes().into_iter().find(strangers) {
            return Err(format!("{group}: the guest {guest} is a member"));
        }
    }
    Ok(())
}
