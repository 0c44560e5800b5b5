//! Once all trouble is over, one node leads each shard, and all its replicas are in the same state.

use crate::tests::sim::world::World;
use octopussy_core::ports::TaskQuery;

pub(super) fn check(world: &World) -> Result<(), String> {
    for shard in world.shards().all() {
        let leaders: Vec<u8> = world.leaders(shard);
        if leaders.len() != 1 {
            return Err(format!("shard {shard} is led by {leaders:?}"));
        }
        let mut first = None;
        for node in world.replicas(shard) {
            let state = node.state()?;
            let machine = state.machine(shard).ok_or_else(|| format!("{} has no shard {shard}", node.number))?;
            let listed = state.tasks(&[shard], &TaskQuery::default()).map_err(|error| error.to_string())?.items;
            match &first {
                None => first = Some((node.number, machine, listed)),
                Some((other, theirs, tasks)) => {
                    if *theirs != machine {
                        return Err(format!("{other} and {} disagree on shard {shard}", node.number));
                    }
                    if *tasks != listed {
                        return Err(format!("{other} and {} have other tasks of shard {shard}", node.number));
                    }
                }
            }
        }
    }
    Ok(())
}
