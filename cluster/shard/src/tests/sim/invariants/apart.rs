//! Never do two hosts speak for one shard at the same time: not by their own account, not by their leases, not by what they
//! do. A node that is frozen says nothing, until it does something again.

use super::Invariant;
use crate::tests::sim::event::Event;
use octopussy_core::ids::ShardId;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Apart {
    /// Who says that it leads a shard.
    held: BTreeMap<ShardId, BTreeSet<u8>>,
    frozen: BTreeSet<u8>,
    /// Who had a valid lease at which moment, last.
    leases: BTreeMap<ShardId, (u64, u8)>,
}

impl Apart {
    /// Another node than `node` that speaks for the shard by its own account.
    fn other(&self, shard: ShardId, node: u8) -> Option<u8> {
        let holders = self.held.get(&shard)?;
        holders.iter().copied().find(|other| *other != node && !self.frozen.contains(other))
    }
}

impl Invariant for Apart {
    fn see(&mut self, now: u64, event: &Event) -> Result<(), String> {
        match event {
            Event::Gained { node, shard, .. } => {
                self.frozen.remove(node);
                if let Some(other) = self.other(*shard, *node) {
                    return Err(format!("two hosts speak: {node} gains shard {shard} before {other} has lost it"));
                }
                self.held.entry(*shard).or_default().insert(*node);
            }
            Event::Lost { node, shard } => {
                self.frozen.remove(node);
                self.held.entry(*shard).or_default().remove(node);
            }
            Event::Speaks { node, shard, .. } => {
                self.frozen.remove(node);
                if let Some((at, other)) = self.leases.insert(*shard, (now, *node))
                    && at == now
                    && other != *node
                {
                    return Err(format!("two hosts speak: {other} and {node} hold leases of shard {shard}"));
                }
            }
            Event::Effect { node, shard, .. } => {
                self.frozen.remove(node);
                if let Some(other) = self.other(*shard, *node) {
                    return Err(format!("two hosts speak: {node} acts for shard {shard}, which {other} has"));
                }
            }
            Event::Crashed { node } => {
                for holders in self.held.values_mut() {
                    holders.remove(node);
                }
                self.frozen.remove(node);
            }
            Event::Frozen { node } => {
                self.frozen.insert(*node);
            }
            Event::Thawed { .. }
            | Event::Stepped { .. }
            | Event::Asked { .. }
            | Event::Acknowledged { .. }
            | Event::Ended { .. }
            | Event::Trouble(_) => {}
        }
        Ok(())
    }
}
