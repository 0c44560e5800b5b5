//! No acknowledged task is lost: once all trouble is over, every replica of its shard has it, and it has ended.

use crate::tests::sim::world::World;

pub(super) fn check(world: &World) -> Result<(), String> {
    for task in world.clients.acknowledged() {
        let shard = world.shards().shard_of_task(task);
        for node in world.replicas(shard) {
            let state = &node.state()?;
            match state.task(task) {
                Ok(Some(record)) if record.state.is_ended() => {}
                Ok(Some(record)) => {
                    return Err(format!("an acknowledged task has not ended at {}: {record:?}", node.number));
                }
                Ok(None) => return Err(format!("an acknowledged task is lost at {}: {task}", node.number)),
                Err(error) => return Err(format!("a task cannot be read at {}: {error}", node.number)),
            }
        }
    }
    if world.clients.are_waiting() {
        return Err("a client has no answer".to_owned());
    }
    Ok(())
}
