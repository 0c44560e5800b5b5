//! Who is the preferred leader of each shard: as many shards as a node's weight deserves, with few changes.

use octopussy_core::ids::NodeId;
use std::collections::BTreeMap;

/// A shard whose preferred leader is to be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Headship {
    /// Who leads by preference; `None` while that is open.
    pub(crate) head: Option<NodeId>,
    /// Who else could. Empty when it is not to be changed.
    pub(crate) options: Vec<NodeId>,
}

/// Chooses open heads and moves others until no single change would make the most loaded of the two nodes concerned less
/// loaded. Answers with the shards (by position) whose head was moved, in the order in which they were: any beginning of
/// it is an improvement by itself.
///
/// Each change takes a head from a node of some load and leaves both nodes with less than that, so it comes to an end.
pub(crate) fn balance(shards: &mut [Headship], weights: &BTreeMap<NodeId, u32>) -> Vec<usize> {
    let mut loads = Loads { counts: BTreeMap::new(), weights };
    for shard in shards.iter() {
        if let Some(head) = shard.head {
            *loads.counts.entry(head).or_default() += 1;
        }
    }
    for shard in shards.iter_mut().filter(|shard| shard.head.is_none()) {
        shard.head = shard.options.iter().copied().min_by(|a, b| loads.compare_with_one_more(*a, *b));
        if let Some(head) = shard.head {
            *loads.counts.entry(head).or_default() += 1;
        }
    }
    let mut moved = Vec::new();
    loop {
        let before = moved.len();
        for (position, shard) in shards.iter_mut().enumerate() {
            let Some(head) = shard.head else { continue };
            let best = shard.options.iter().copied().filter(|node| *node != head);
            let Some(best) = best.min_by(|a, b| loads.compare_with_one_more(*a, *b)) else { continue };
            if loads.gains(head, best) {
                *loads.counts.entry(head).or_default() -= 1;
                *loads.counts.entry(best).or_default() += 1;
                shard.head = Some(best);
                moved.push(position);
            }
        }
        if moved.len() == before {
            return moved;
        }
    }
}

/// How many shards each node leads, and what it can bear. Loads are compared as fractions, without floats.
struct Loads<'a> {
    counts: BTreeMap<NodeId, u64>,
    weights: &'a BTreeMap<NodeId, u32>,
}

impl Loads<'_> {
    fn count(&self, node: NodeId) -> u64 {
        self.counts.get(&node).copied().unwrap_or(0)
    }

    fn weight(&self, node: NodeId) -> u64 {
        u64::from(self.weights.get(&node).copied().unwrap_or(1).max(1))
    }

    /// Which of two nodes would be less loaded with one more shard.
    fn compare_with_one_more(&self, a: NodeId, b: NodeId) -> std::cmp::Ordering {
        let left = (self.count(a) + 1) * self.weight(b);
        let right = (self.count(b) + 1) * self.weight(a);
        left.cmp(&right).then(a.cmp(&b))
    }

    /// Whether `to` would still be less loaded with one of `from`'s shards than `from` is now.
    fn gains(&self, from: NodeId, to: NodeId) -> bool {
        self.count(from) * self.weight(to) > (self.count(to) + 1) * self.weight(from)
    }
}
