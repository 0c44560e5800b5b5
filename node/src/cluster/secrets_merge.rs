//! Which way a shared secret has to go: pure. Compared are what this node has, what the cluster has, and what both agreed on
//! last (the base), as in a three-way merge.
//!
//! It is free of loops: what was taken from the cluster becomes the base, so that it is no change of this node's any more.

use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A value that was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Agreed {
    /// Which value: a digest under the cluster's data key.
    pub(crate) digest: [u8; 32],
    /// When it was set.
    pub(crate) set_at: Timestamp,
}

/// What node and cluster agreed on last, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base(pub(crate) BTreeMap<String, Agreed>);

/// Where the two sides are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sides {
    /// What this node's store holds, by digest.
    pub(crate) local: BTreeMap<String, [u8; 32]>,
    /// What the cluster holds.
    pub(crate) cluster: BTreeMap<String, Agreed>,
    /// When a change of this node's store was seen to happen, for those changes that were.
    pub(crate) noticed: BTreeMap<String, Timestamp>,
}

/// Something to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Take the cluster's value into this node's store.
    Take { name: String, agreed: Agreed },
    /// Remove it from this node's store.
    Drop { name: String },
    /// Give this node's value to the cluster.
    Give { name: String, set_at: Timestamp },
    /// Remove it from the cluster.
    Withdraw { name: String },
    /// Both have the same: write that down.
    Agree { name: String, agreed: Agreed },
    /// Neither has it any more: forget it.
    Forget { name: String },
}

impl Step {
    /// Which secret it is about.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Take { name, .. }
            | Self::Drop { name }
            | Self::Give { name, .. }
            | Self::Withdraw { name }
            | Self::Agree { name, .. }
            | Self::Forget { name } => name,
        }
    }

    /// Whether it is a command to the cluster, whose effect this node's copy shows a moment later.
    pub(crate) const fn changes_the_cluster(&self) -> bool {
        match self {
            Self::Give { .. } | Self::Withdraw { .. } => true,
            Self::Take { .. } | Self::Drop { .. } | Self::Agree { .. } | Self::Forget { .. } => false,
        }
    }
}

/// What is to be done, by name.
pub(crate) fn merge(base: &Base, sides: &Sides, now: Timestamp) -> Vec<Step> {
    let names: BTreeSet<&String> = sides.local.keys().chain(sides.cluster.keys()).chain(base.0.keys()).collect();
    names.into_iter().filter_map(|name| one(name, base.0.get(name), sides, now)).collect()
}

fn one(name: &str, base: Option<&Agreed>, sides: &Sides, now: Timestamp) -> Option<Step> {
    let (local, cluster) = (sides.local.get(name), sides.cluster.get(name));
    let name = name.to_owned();
    if let (Some(local), Some(agreed)) = (local, cluster)
        && *local == agreed.digest
    {
        return (base != Some(agreed)).then_some(Step::Agree { name, agreed: *agreed });
    }
    if local.is_none() && cluster.is_none() {
        return Some(Step::Forget { name });
    }
    let here = local != base.map(|base| &base.digest);
    let there = cluster != base;
    let mine = match (here, there) {
        (true, false) => true,
        (false, _) => false,
        // Both have changed: the later wins. What was not seen to change here, or was never agreed on, is the cluster's.
        (true, true) => match (sides.noticed.get(&name), cluster) {
            (Some(noticed), Some(agreed)) => *noticed > agreed.set_at,
            (None, Some(_)) => false,
            (_, None) => true,
        },
    };
    Some(match (mine, local, cluster) {
        (true, Some(_), _) => Step::Give { name, set_at: after(now, cluster) },
        (true, None, _) => Step::Withdraw { name },
        (false, _, Some(agreed)) => Step::Take { name, agreed: *agreed },
        (false, _, None) => Step::Drop { name },
    })
}

/// Now, but later than what the cluster has: a clock that lags must not make a new value look old.
fn after(now: Timestamp, cluster: Option<&Agreed>) -> Timestamp {
    cluster.map_or(now, |agreed| now.max(agreed.set_at.plus(Duration::from_millis(1))))
}

#[cfg(test)]
#[path = "secrets_merge_tests.rs"]
mod tests;
