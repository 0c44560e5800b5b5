//! Which replica of a group a node has.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many incarnations a node may begin within one of its starts.
const PER_BOOT: u64 = 1 << 20;

/// One life of a node's replica of a group, from its first write to its deletion or the loss of its data. A node that comes
/// back with less than it had has another incarnation, and counts for nothing until the group's leader lets it in again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ReplicaIncarnation(pub(crate) u64);

impl ReplicaIncarnation {
    /// The first of a node's start, for a replica of which nothing is left.
    pub(crate) const fn first_of(boot: u64) -> Self {
        Self(boot.saturating_mul(PER_BOOT))
    }

    /// The one after this, in a node's start: later than any that this start or an earlier one can have begun.
    pub(crate) fn next(self, boot: u64) -> Self {
        Self(self.0.saturating_add(1)).max(Self::first_of(boot))
    }
}

/// What a group's membership says of a member beside its node: which of its replicas it is. Another one does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replica {
    pub(crate) incarnation: ReplicaIncarnation,
}

impl fmt::Display for ReplicaIncarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / PER_BOOT, self.0 % PER_BOOT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_incarnation_comes_twice() {
        let first = ReplicaIncarnation::first_of(3);
        let second = first.next(3);
        assert!(second > first);
        assert!(second.next(3) > second);
        // What was counted before the loss of everything is not known after it.
        assert!(ReplicaIncarnation::first_of(4) > second.next(3));
        assert_eq!(second.next(4), ReplicaIncarnation::first_of(4));
    }
}
