//! Whoever is sent away for good votes nowhere.

use crate::tests::sim::world::World;
use octopussy_control::ControlCommand;

pub(super) fn check(world: &World, command: &ControlCommand) -> Result<(), String> {
    let ControlCommand::Remove { node, .. } = command else { return Ok(()) };
    match world.groups.values().find(|group| group.membership.votes(*node)) {
        Some(group) => {
            Err(format!("node {node} was removed while it votes in {}: {:?}", group.group, group.membership))
        }
        None => Ok(()),
    }
}
