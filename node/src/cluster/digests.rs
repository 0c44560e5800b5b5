//! Whether the replicas of each group agree. Pure.

use octopussy_core::ids::NodeId;
use octopussy_core::ports::{DigestsView, GroupDigestsView, ReplicaDigestView};
use octopussy_shard::ReplicaDigest;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a node told of its replicas, or why it did not.
pub(crate) type Told = (NodeId, Result<Vec<ReplicaDigest>, Arc<str>>);

/// What the nodes told, by group. `name` is what a node is called.
pub(crate) fn view(told: Vec<Told>, name: impl Fn(NodeId) -> String) -> DigestsView {
    let mut groups: BTreeMap<u16, Vec<(String, ReplicaDigest)>> = BTreeMap::new();
    let mut silent = Vec::new();
    for (node, digests) in told {
        match digests {
            Ok(digests) => {
                for digest in digests {
                    groups.entry(digest.group).or_default().push((name(node), digest));
                }
            }
            Err(why) => silent.push(format!("{}: {why}", name(node))),
        }
    }
    let groups = groups.into_iter().map(|(group, mut replicas)| {
        replicas.sort_by(|left, right| left.0.cmp(&right.0));
        let agree = agree(&replicas);
        let replicas = replicas.into_iter().map(|(node, digest)| ReplicaDigestView {
            node,
            term: digest.applied.0,
            applied: digest.applied.1,
            digest: super::hex(&digest.digest),
        });
        GroupDigestsView { shard: group.checked_sub(1), replicas: replicas.collect(), agree }
    });
    DigestsView { groups: groups.collect(), silent }
}

/// Whether replicas agree: not, when any two that have applied the same entries differ; not known, when they have come to different
/// places.
fn agree(replicas: &[(String, ReplicaDigest)]) -> Option<bool> {
    let mut known = BTreeMap::new();
    for (_, digest) in replicas {
        if *known.entry(digest.applied).or_insert(digest.digest) != digest.digest {
            return Some(false);
        }
    }
    (known.len() == 1).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn node(number: u8) -> NodeId {
        NodeId([number; 16])
    }

    const fn digest(group: u16, applied: u64, byte: u8) -> ReplicaDigest {
        ReplicaDigest { group, applied: (3, applied), digest: [byte; 32] }
    }

    #[test]
    fn only_replicas_at_the_same_place_can_differ() {
        let told = vec![
            (node(2), Ok(vec![digest(0, 7, 1), digest(1, 9, 5), digest(2, 4, 1)])),
            (node(1), Ok(vec![digest(0, 7, 1), digest(1, 9, 6), digest(2, 5, 2)])),
            (node(3), Err("it is not connected".into())),
        ];
        let view = view(told, |node| format!("n{}", node.0[0]));
        assert_eq!(view.silent, ["n3: it is not connected"]);
        let seen: Vec<_> = view.groups.iter().map(|group| (group.shard, group.agree)).collect();
        assert_eq!(seen, [(None, Some(true)), (Some(0), Some(false)), (Some(1), None)]);
        let first = &view.groups[1].replicas[0];
        assert_eq!((first.node.as_str(), first.term, first.applied), ("n1", 3, 9));
        assert_eq!(first.digest, "06".repeat(32));
    }
}
