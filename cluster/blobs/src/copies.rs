//! How many copies, and where.

use crate::limits::MOST_COPIES;
use octopussy_core::ids::{BlobId, NodeId};

/// How many nodes must have a blob before it counts as stored, this one included: a majority of those that hold
/// copies for others, so that a quorum of any shard meets one, and no more than a shard has replicas.
pub(crate) const fn copies(members: usize) -> usize {
    let majority = members / 2 + 1;
    if majority < MOST_COPIES { majority } else { MOST_COPIES }
}

/// The nodes in the order in which this blob prefers them. Every node computes the same order, so that copies written and
/// questions asked meet, and different blobs prefer different nodes.
pub(crate) fn in_order(id: BlobId, mut nodes: Vec<NodeId>) -> Vec<NodeId> {
    nodes.sort_by_key(|node| {
        let mut seed = Vec::with_capacity(48);
        seed.extend_from_slice(&id.0);
        seed.extend_from_slice(&node.0);
        BlobId::of(&seed).0
    });
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_but_no_more_than_a_shard_has_replicas() {
        let wanted: Vec<_> = (1..=9).map(copies).collect();
        assert_eq!(wanted, [1, 2, 2, 3, 3, 3, 3, 3, 3]);
    }

    #[test]
    fn different_blobs_prefer_different_nodes_and_everybody_agrees() {
        let nodes: Vec<_> = (0..5).map(|node| NodeId([node; 16])).collect();
        let reversed: Vec<_> = nodes.iter().rev().copied().collect();
        let mut first = std::collections::BTreeSet::new();
        for blob in 0_u8..64 {
            let id = BlobId([blob; 32]);
            let order = in_order(id, nodes.clone());
            assert_eq!(order, in_order(id, reversed.clone()));
            first.insert(order[0]);
        }
        assert_eq!(first.len(), 5, "some node is never preferred");
    }
}
