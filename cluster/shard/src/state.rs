//! What the applier changes and readers read: the machines, and what they changed that is not stored yet.

use crate::dirty::Dirty;
use crate::stores::StoreCell;
use crate::view::{AgentCache, View};
use octopussy_core::ids::ShardId;
use octopussy_core::task::Command;
use octopussy_ledger::{ColdError, Effects, Machine, Write};
use std::sync::Arc;

/// The machines of all shards and what is not stored yet.
pub(crate) struct State {
    pub(crate) machines: Vec<Machine>,
    pub(crate) active: Dirty,
    pub(crate) flushing: Option<Arc<Dirty>>,
}

impl State {
    pub(crate) fn machine(&self, shard: ShardId) -> Option<&Machine> {
        self.machines.get(usize::from(shard.0))
    }

    /// The state of `shard` as a machine reads it.
    pub(crate) fn view<'a>(&'a self, shard: ShardId, store: &'a StoreCell, agents: &'a AgentCache) -> View<'a> {
        View { shard, active: &self.active, flushing: self.flushing.as_deref(), store, agents }
    }

    /// Applies the command at `index` of the log to its shard. The writes of the effects have been taken up.
    pub(crate) fn apply(
        &mut self,
        index: u64,
        shard: ShardId,
        command: Command,
        store: &StoreCell,
        agents: &AgentCache,
    ) -> Result<Effects, ColdError> {
        let Self { machines, active, flushing } = self;
        let machine = machines
            .get_mut(usize::from(shard.0))
            .ok_or_else(|| ColdError(format!("the log names shard {shard}, which this node does not have").into()))?;
        let view = View { shard, active, flushing: flushing.as_deref(), store, agents };
        let mut effects = machine.apply(index, command, &view)?;
        let writes = std::mem::take(&mut effects.writes);
        for write in &writes {
            if let Write::Agent(agent) = write {
                let mut cache = agents.lock();
                // Only what is there is kept true: an agent that nobody reads need not push out others.
                if let Some(cached) = cache.peek_mut(&agent.id) {
                    *cached = Arc::clone(agent);
                }
            }
        }
        active.absorb(index, shard, *machine.record(), writes);
        Ok(effects)
    }

    /// How many tasks have not ended.
    pub(crate) fn hot_count(&self) -> usize {
        self.machines.iter().map(Machine::hot_count).sum()
    }
}
