//! Once all trouble is over, everything that the replicas of a group have stored is the same, down to the last index.

use crate::raft::GroupId;
use crate::tests::sim::node::SimNode;
use crate::tests::sim::world::World;

pub(super) fn check(world: &World) -> Result<(), String> {
    check_group(GroupId::CONTROL, &world.nodes.values().collect::<Vec<_>>())?;
    for shard in world.shards().all() {
        check_group(GroupId::of(shard), &world.replicas(shard))?;
    }
    Ok(())
}

fn check_group(group: GroupId, nodes: &[&SimNode]) -> Result<(), String> {
    let mut first = None;
    for node in nodes {
        let number = node.number;
        let digest = node.state()?.digest(group).map_err(|error| format!("{number} cannot be read: {error}"))?;
        let digest = digest.ok_or_else(|| format!("{number} has stored nothing of group {group}"))?;
        let (other, theirs) = *first.get_or_insert((number, digest));
        if theirs.applied != digest.applied {
            return Err(format!("{other} and {number} have stored group {group} up to different entries"));
        }
        if theirs.digest != digest.digest {
            return Err(format!(
                "{other} and {number} have made different states of the same entries of group {group}"
            ));
        }
    }
    Ok(())
}
