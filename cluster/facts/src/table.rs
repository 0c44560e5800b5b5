use crate::message::Told;
use crate::records::{LoadRecord, NodeRecord, view};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::NodeFactsView;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The most nodes whose facts are kept: more than a mesh connects.
const MAX_NODES: usize = 4_096;

/// What the nodes have told, by node; of each its latest life. Pure: it is told the time.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<NodeId, Known>);

#[derive(Debug)]
struct Known {
    /// Life and number of what was told last.
    at: (u64, u64),
    node: Option<NodeRecord>,
    load: LoadRecord,
    heard: Instant,
}

impl Table {
    /// Takes what a node told of itself; answers whether anything changed. The facts of an earlier life stand until the new one has
    /// told its own.
    pub(crate) fn take(&mut self, who: NodeId, told: Told, now: Instant) -> bool {
        let at = (told.boot, told.number);
        let Some(known) = self.0.get_mut(&who) else {
            if self.0.len() >= MAX_NODES {
                return false;
            }
            let known = Known { at, node: told.node, load: told.load, heard: now };
            let shown = known.node.is_some();
            self.0.insert(who, known);
            return shown;
        };
        if at < known.at {
            return false;
        }
        known.at = at;
        known.heard = now;
        let news = known.load != told.load || told.node.as_ref().is_some_and(|node| known.node.as_ref() != Some(node));
        known.load = told.load;
        if told.node.is_some() {
            known.node = told.node;
        }
        news
    }

    /// Forgets the nodes that have not been heard of for so long; answers whether there were any.
    pub(crate) fn forget(&mut self, silent_for: Duration, now: Instant) -> bool {
        let before = self.0.len();
        self.0.retain(|_, known| now.saturating_duration_since(known.heard) < silent_for);
        self.0.len() != before
    }

    /// The facts of all nodes that told them.
    pub(crate) fn views(&self) -> BTreeMap<NodeId, NodeFactsView> {
        self.0.iter().filter_map(|(node, known)| Some((*node, view(known.node.as_ref()?, known.load)))).collect()
    }
}
