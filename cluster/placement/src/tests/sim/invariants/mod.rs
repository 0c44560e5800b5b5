//! What must hold, one invariant a file.

mod apart;
mod bounded;
mod caught_up;
mod farewell;
mod fit;
mod grace;
pub(super) mod kept;
mod rest;
mod settled;

use super::world::World;
use crate::Action;
use octopussy_control::ControlCommand;
use octopussy_core::ids::NodeId;

/// When a node has decided something.
pub(super) fn on_decided(world: &World, by: NodeId, action: &Action) -> Result<(), String> {
    caught_up::check(world, by, action)?;
    grace::check_plan(world, by, action)?;
    grace::check_voters(world, by, action)?;
    fit::check_action(world, by, action)
}

/// When the control group has applied a command.
pub(super) fn on_applied(world: &World, command: &ControlCommand) -> Result<(), String> {
    farewell::check(world, command)
}

/// After every step.
pub(super) fn every_step(world: &World) -> Result<(), String> {
    bounded::check(world)?;
    fit::check_groups(world)
}

/// Once all trouble is over.
pub(super) fn settled(world: &World) -> Result<(), String> {
    settled::check(world)?;
    apart::check(world)?;
    rest::check(world)
}
