//! Epochs of effects never interleave: once something was done under an epoch, nothing is done under an earlier one.

use super::Invariant;
use crate::tests::sim::event::Event;
use octopussy_core::ids::{Epoch, ShardId};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Epochs {
    highest: BTreeMap<ShardId, Epoch>,
}

impl Invariant for Epochs {
    fn see(&mut self, _: u64, event: &Event) -> Result<(), String> {
        let Event::Effect { node, shard, epoch, .. } = event else { return Ok(()) };
        let highest = self.highest.entry(*shard).or_insert(*epoch);
        if *epoch < *highest {
            return Err(format!("epochs interleave: {node} acts for shard {shard} at {epoch} after {highest}"));
        }
        *highest = *epoch;
        Ok(())
    }
}
