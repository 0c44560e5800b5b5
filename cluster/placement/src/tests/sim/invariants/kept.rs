//! Nobody deletes a replica that has a vote.

use crate::tests::sim::group::SimGroup;
use octopussy_core::ids::NodeId;

pub(in crate::tests::sim) fn check(group: &SimGroup, node: NodeId) -> Result<(), String> {
    if group.memberships().any(|membership| membership.votes(node)) {
        return Err(format!("{}: {node} deletes a replica that has a vote: {:?}", group.group, group.membership));
    }
    Ok(())
}
