use crate::records::{LOAD_KEY, LoadRecord, NODE_KEY, NodeRecord, decode, view};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, NodeFactsView};
use std::collections::BTreeMap;

/// The most nodes whose facts are kept: more than a mesh connects.
const MAX_NODES: usize = 4_096;

/// What the nodes have told, by node; of each its latest life.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<NodeId, Told>);

#[derive(Debug)]
struct Told {
    boot: u64,
    node: Option<NodeRecord>,
    load: LoadRecord,
}

impl Table {
    /// Takes a pair that a life of a node told; answers whether anything changed.
    pub(crate) fn take(&mut self, who: Incarnation, key: &str, value: &str) -> bool {
        if !self.0.contains_key(&who.node) && self.0.len() >= MAX_NODES {
            return false;
        }
        let told = self.0.entry(who.node).or_insert(Told { boot: who.boot, node: None, load: LoadRecord::default() });
        if who.boot < told.boot {
            return false;
        }
        if who.boot > told.boot {
            // The facts of the earlier life stand until the new one has told its own.
            told.boot = who.boot;
        }
        match key {
            NODE_KEY => match decode::<NodeRecord>(value) {
                Some(node) if told.node.as_ref() != Some(&node) => {
                    told.node = Some(node);
                    true
                }
                Some(_) | None => false,
            },
            LOAD_KEY => match decode::<LoadRecord>(value) {
                Some(load) if told.load != load => {
                    told.load = load;
                    true
                }
                Some(_) | None => false,
            },
            // Told by a newer build.
            _ => false,
        }
    }

    /// Drops the nodes that `is_kept` does not keep; answers whether there were any.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(NodeId) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|node, _| is_kept(*node));
        self.0.len() != before
    }

    /// The facts of all nodes that told them.
    pub(crate) fn views(&self) -> BTreeMap<NodeId, NodeFactsView> {
        self.0.iter().filter_map(|(node, told)| Some((*node, view(told.node.as_ref()?, told.load)))).collect()
    }
}
