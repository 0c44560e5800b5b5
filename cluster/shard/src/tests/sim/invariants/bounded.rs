//! Queues stay within their bounds, and are empty once there is nothing left to do.

use crate::QUEUE_CAPACITY;
use crate::tests::sim::world::World;
use octopussy_core::task::MAILBOX_CAPACITY;

pub(super) fn check(world: &World) -> Result<(), String> {
    for node in world.nodes.values() {
        for (group, waiting) in node.lines() {
            if waiting > QUEUE_CAPACITY * 2 {
                return Err(format!("{waiting} commands wait before group {group} of {}", node.number));
            }
        }
        for (agent, waiting) in node.mailboxes(&world.agents) {
            if waiting > MAILBOX_CAPACITY {
                return Err(format!("{waiting} tasks wait for {agent} at {}", node.number));
            }
        }
    }
    Ok(())
}

pub(super) fn check_rest(world: &World) -> Result<(), String> {
    for node in world.nodes.values() {
        if let Some((group, waiting)) = node.lines().into_iter().find(|(_, waiting)| *waiting > 0) {
            return Err(format!("{waiting} commands still wait before group {group} of {}", node.number));
        }
        if let Some((agent, waiting)) = node.mailboxes(&world.agents).into_iter().find(|(_, waiting)| *waiting > 0) {
            return Err(format!("{waiting} tasks still wait for {agent} at {}", node.number));
        }
    }
    Ok(())
}
