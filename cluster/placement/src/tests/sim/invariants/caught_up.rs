//! Whoever gets a vote has what was committed, and so has a majority of every new set of voters: no change of ours leaves a
//! group without a majority that can go on.

use crate::tests::sim::world::World;
use crate::{Action, Group};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Reach, ReachabilityPort};

pub(super) fn check(world: &World, by: NodeId, action: &Action) -> Result<(), String> {
    let Action::SetMembers { group, voters, .. } = action else { return Ok(()) };
    let state = &world.groups[group];
    if state.leader != Some(by) || state.membership.configs.iter().any(|config| config == voters) {
        return Ok(());
    }
    let reach = world.network.view(by, world.now);
    let good = |node: &NodeId| {
        let held = state.held.get(node).copied().unwrap_or(0);
        held + world.limits.caught_up >= state.log && reach.reach(*node) == Reach::Alive
    };
    let newcomers = voters.iter().filter(|node| !state.membership.votes(**node));
    if let Some(late) = newcomers.into_iter().find(|node| !good(node)) {
        return Err(format!("{group}: {late} gets a vote before it has caught up"));
    }
    if voters.iter().filter(|node| good(node)).count() * 2 <= voters.len() {
        return Err(format!("{group}: most of the new voters {voters:?} are behind or down"));
    }
    let odd = voters.len() % 2 == 1;
    if !odd && *group == Group::Control && voters.len() > 10 {
        return Err(format!("{group}: {} voters", voters.len()));
    }
    Ok(())
}
