use super::event::Index;
use std::collections::BTreeMap;
use std::time::Duration;

/// A connection between two lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) low_boot: u64,
    pub(super) high_boot: u64,
    /// Since when packets do not pass in both directions.
    pub(super) broken_at: Option<Duration>,
}

/// The connections, by the pair of nodes.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<(Index, Index), Link>);

impl Links {
    pub(super) fn get(&self, a: Index, b: Index) -> Option<&Link> {
        self.0.get(&pair(a, b))
    }

    pub(super) fn insert(&mut self, (a, a_boot): (Index, u64), (b, b_boot): (Index, u64)) {
        let (low_boot, high_boot) = if a < b { (a_boot, b_boot) } else { (b_boot, a_boot) };
        self.0.insert(pair(a, b), Link { low_boot, high_boot, broken_at: None });
    }

    pub(super) fn remove(&mut self, a: Index, b: Index) -> Option<Link> {
        self.0.remove(&pair(a, b))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = ((Index, Index), &mut Link)> {
        self.0.iter_mut().map(|(pair, link)| (*pair, link))
    }
}

fn pair(a: Index, b: Index) -> (Index, Index) {
    if a < b { (a, b) } else { (b, a) }
}
