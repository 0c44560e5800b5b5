//! Only a few shards move at once.

use crate::tests::sim::world::World;

pub(super) fn check(world: &World) -> Result<(), String> {
    let moving = world.truth.table.iter().filter(|place| place.target.is_some()).count();
    if moving > world.limits.max_moves {
        return Err(format!("{moving} shards move at once"));
    }
    Ok(())
}
