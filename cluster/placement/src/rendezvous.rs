//! Weighted rendezvous hashing (Thaler and Ravishankar 1998; the logarithmic weighting is Mosharaf and others').
//!
//! Each pair of a shard and a node gets a hash `u` in (0, 1), and nodes are ranked by `-log(u) / weight`, the least first:
//! a node comes first with a probability proportional to its weight, and a node that comes or goes changes the order of no
//! other two.
//!
//! The usual computation with floats is not used: logarithms differ in their last bit between C libraries, and two nodes
//! that disagree on a rank would plan against each other after every change of the control group's leader. Here the
//! logarithm is computed in fixed point and ranks are compared as exact fractions, so that every platform, build and release
//! comes to the same order.

use octopussy_core::ids::{NodeId, ShardId};
use std::cmp::Ordering;
use xxhash_rust::xxh3::xxh3_64;

/// Binary digits after the point: 2^-40 is far below what weights and hashes can tell apart, and a cost below 2^47 times a
/// weight below 2^32 is far from overflowing 128 bits.
const FRACTION_BITS: u32 = 40;

/// How far down a node stands in a shard's ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rank {
    cost: u64,
    weight: u32,
    node: NodeId,
}

impl Rank {
    /// The rank of `node` for `shard`. A weight of zero counts as one.
    pub(crate) fn of(shard: ShardId, node: NodeId, weight: u32) -> Self {
        let mut key = [0_u8; 18];
        key[..2].copy_from_slice(&shard.0.to_be_bytes());
        key[2..].copy_from_slice(&node.0);
        Self { cost: cost(xxh3_64(&key)), weight: weight.max(1), node }
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let mine = u128::from(self.cost) * u128::from(other.weight);
        let theirs = u128::from(other.cost) * u128::from(self.weight);
        mine.cmp(&theirs).then_with(|| self.node.cmp(&other.node))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `-log2(hash / 2^64)` in fixed point; at least 1.
fn cost(hash: u64) -> u64 {
    // Zero has no logarithm; setting the lowest bit moves nothing that anybody could notice.
    (64 << FRACTION_BITS) - log2(hash | 1)
}

/// The binary logarithm of a positive number, in fixed point, rounded down: the mantissa is squared again and again, and each
/// squaring that leaves the range from one to two yields a binary one.
fn log2(number: u64) -> u64 {
    let whole = number.ilog2();
    let mut mantissa = number << (63 - whole);
    let mut result = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        let carry = u32::from(square >> 64 != 0);
        mantissa = u64::try_from(square >> carry).unwrap_or(u64::MAX);
        result = (result << 1) | u64::from(carry);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn logarithms_of_powers_are_exact() {
        for power in 0_u32..64 {
            assert_eq!(log2(1_u64 << power), u64::from(power) << FRACTION_BITS);
        }
    }

    /// Pinned: a change here moves shards in every cluster that exists.
    #[test]
    fn costs_are_the_same_everywhere() {
        let costs: Vec<u64> = [0, 1, 3, 0x1234_5678_9ABC_DEF0, u64::MAX / 2, u64::MAX].into_iter().map(cost).collect();
        assert_eq!(
            costs,
            [70_368_744_177_664, 70_368_744_177_664, 68_626_059_478_533, 4_193_296_765_537, 1_099_511_627_777, 1]
        );
    }

    proptest! {
        #[test]
        fn logarithms_agree_with_floats(number in 1_u64..) {
            #[expect(clippy::cast_precision_loss, reason = "a float is what we compare with")]
            let (ours, float) = (log2(number) as f64 / 2_f64.powi(40), (number as f64).log2());
            prop_assert!((ours - float).abs() < 1e-6, "{ours} {float}");
        }
    }
}
