//! A start order out of requirements: Kahn's algorithm, always taking the lowest-numbered capability that is ready.
//!
//! The map itself is ordered at compile time ([`octopussy_core::capability::START_ORDER`]); this is the same algorithm for
//! what is only known at run time, with errors instead of a failing build.

use octopussy_core::capability::{CapabilityId, Layer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A capability with what it requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Which.
    pub id: CapabilityId,
    /// Its layer.
    pub layer: Layer,
    /// What has to be started before it.
    pub requires: Vec<CapabilityId>,
}

/// A circle of requirements; the first and the last member are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CyclePath(Vec<CapabilityId>);

impl CyclePath {
    /// The members, each requiring the next, the lowest-numbered one first and last.
    #[must_use]
    pub fn members(&self) -> &[CapabilityId] {
        &self.0
    }
}

impl fmt::Display for CyclePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, member) in self.0.iter().enumerate() {
            let arrow = if position == 0 { "" } else { " → " };
            write!(f, "{arrow}{member}")?;
        }
        Ok(())
    }
}

/// The requirements have no start order. Nothing has been started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// The same capability twice.
    #[error("capability '{0}' is there twice")]
    Duplicate(CapabilityId),
    /// A required capability is not there.
    #[error("capability '{capability}' requires '{provider}', which is not there")]
    Unknown {
        /// Who requires.
        capability: CapabilityId,
        /// What is missing.
        provider: CapabilityId,
    },
    /// Capabilities wait for one another.
    #[error("circular requirement: {0}")]
    Circular(CyclePath),
    /// A requirement points to a higher layer.
    #[error("capability '{capability}' requires '{provider}' of a higher layer")]
    Upward {
        /// Who requires.
        capability: CapabilityId,
        /// What lies above it.
        provider: CapabilityId,
    },
}

/// The order in which `nodes` start.
///
/// # Errors
/// [`GraphError`]: duplicates are looked for first, then unknown providers, circles and upward requirements.
pub fn start_order(nodes: &[Node]) -> Result<Vec<CapabilityId>, GraphError> {
    let mut layers = BTreeMap::new();
    for node in nodes {
        if layers.insert(node.id, node.layer).is_some() {
            return Err(GraphError::Duplicate(node.id));
        }
    }
    let edges = || nodes.iter().flat_map(|node| node.requires.iter().map(move |provider| (node, *provider)));
    if let Some((node, provider)) = edges().find(|(_, provider)| !layers.contains_key(provider)) {
        return Err(GraphError::Unknown { capability: node.id, provider });
    }
    let (order, left) = kahn(nodes);
    if let Some(path) = cycle_in(&left) {
        return Err(GraphError::Circular(path));
    }
    match edges().find(|(node, provider)| layers.get(provider).is_some_and(|layer| *layer > node.layer)) {
        Some((node, provider)) => Err(GraphError::Upward { capability: node.id, provider }),
        None => Ok(order),
    }
}

/// A circle among `nodes`, if there is one; requirements on what is not (yet) there are left aside.
#[must_use]
pub fn find_cycle(nodes: &[Node]) -> Option<CyclePath> {
    cycle_in(&kahn(nodes).1)
}

type Edges = BTreeMap<CapabilityId, BTreeSet<CapabilityId>>;

/// The order as far as it goes, and what is left: nodes on a circle or behind one.
fn kahn(nodes: &[Node]) -> (Vec<CapabilityId>, Edges) {
    let known: BTreeSet<_> = nodes.iter().map(|node| node.id).collect();
    let mut left: Edges = nodes
        .iter()
        .map(|node| (node.id, node.requires.iter().copied().filter(|provider| known.contains(provider)).collect()))
        .collect();
    let mut order = Vec::with_capacity(nodes.len());
    // Quadratic, over at most a few dozen nodes, once per start: not worth a queue that has to be kept sorted.
    while let Some(next) = left.iter().find(|(_, requires)| requires.is_empty()).map(|(id, _)| *id) {
        left.remove(&next);
        left.values_mut().for_each(|requires| {
            requires.remove(&next);
        });
        order.push(next);
    }
    (order, left)
}

/// Every node that Kahn leaves requires another such node, so walking along requirements must come back to itself.
fn cycle_in(left: &Edges) -> Option<CyclePath> {
    let mut walked: Vec<CapabilityId> = Vec::new();
    let mut at = *left.keys().next()?;
    let begins = loop {
        if let Some(position) = walked.iter().position(|id| *id == at) {
            break position;
        }
        walked.push(at);
        at = *left.get(&at)?.first()?;
    };
    let mut path = walked.split_off(begins);
    let lowest = path.iter().enumerate().min_by_key(|(_, id)| **id).map_or(0, |(position, _)| position);
    path.rotate_left(lowest);
    path.extend(path.first().copied());
    Some(CyclePath(path))
}
