//! The state of one shard in memory: its machine, and what it changed that is not stored yet.

use super::dirty::Dirty;
use super::group_record::{GroupRecord, LogId, Membership, SnapshotMeta};
use super::keys::Slot;
use super::leading::Leading;
use super::view::{AgentCache, Life, View};
use crate::stores::StoreCell;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::task::{Applied, Command, LedgerEvent, Refusal};
use octopussy_ledger::{ColdError, Machine, Write};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many commands are applied before readers get their turn.
const CHUNK: usize = 64;

/// What a shard has applied.
pub(super) struct ShardState {
    pub(super) slot: Slot,
    life: Life,
    pub(super) machine: Machine,
    pub(super) applied: Option<LogId>,
    pub(super) membership: Membership,
    pub(super) active: Dirty,
    pub(super) flushing: Option<Arc<Changes>>,
    /// What the stored state says of itself.
    pub(super) durable: SnapshotMeta,
    /// Whether something was applied that is neither stored nor being stored.
    pub(super) touched: bool,
    /// Set while only some of an entry's commands have been applied, for such a state has no place in the log: how many bytes
    /// waited to be stored before it.
    pub(super) within_entry: Option<usize>,
}

/// Changes of one shard on their way into the store, with the place in the log that they bring it to.
pub(super) struct Changes {
    pub(super) record: GroupRecord,
    pub(super) slot: Slot,
    pub(super) dirty: Dirty,
}

/// What came of an entry's commands so far.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) answers: Vec<Result<Applied, Refusal>>,
    /// What is to be told while the shard is led here; activations of other nodes are left out.
    pub(super) events: Vec<LedgerEvent>,
}

/// How an entry was taken up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// How many more bytes wait to be stored.
    pub(super) bytes: usize,
    /// Whether nothing waited before.
    pub(super) first: bool,
}

/// One shard. Locks are taken in the order `state`, store, cache of agents.
pub(super) struct ShardCell {
    pub(super) shard: ShardId,
    pub(super) state: RwLock<ShardState>,
    pub(super) leading: Leading,
    /// Roughly how many bytes its unended tasks take, as the last entry left it; read without a lock.
    pub(super) hot_bytes: AtomicU64,
    /// How many bytes of their texts only the store has; like `hot_bytes`.
    pub(super) stored_bytes: AtomicU64,
    /// Set when its rows are to be deleted: nothing of it is stored any more.
    pub(super) gone: AtomicBool,
}

impl ShardState {
    pub(super) fn empty(slot: Slot) -> Self {
        Self {
            slot,
            life: Life::next(),
            machine: Machine::new(slot.shard),
            applied: None,
            membership: Membership::default(),
            active: Dirty::default(),
            flushing: None,
            durable: SnapshotMeta::default(),
            touched: false,
            within_entry: None,
        }
    }

    /// The state that is stored, with the machine that was restored from it.
    pub(super) fn stored(slot: Slot, machine: Machine, record: &GroupRecord) -> Self {
        Self {
            machine,
            applied: record.applied,
            membership: record.membership.clone(),
            durable: record.meta(),
            ..Self::empty(slot)
        }
    }

    /// The layers that are not stored yet, newest first.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Dirty> {
        std::iter::once(&self.active).chain(self.flushing.as_ref().map(|changes| &changes.dirty))
    }

    /// The state as the machine reads it.
    pub(super) fn view<'a>(&'a self, store: &'a StoreCell, agents: &'a AgentCache) -> View<'a> {
        let flushing = self.flushing.as_ref().map(|changes| &changes.dirty);
        View { slot: self.slot, active: &self.active, flushing, store, agents, life: self.life }
    }

    fn apply(
        &mut self,
        command: Command,
        store: &StoreCell,
        agents: &AgentCache,
    ) -> Result<octopussy_ledger::Effects, ColdError> {
        let flushing = self.flushing.as_ref().map(|changes| &changes.dirty);
        let view = View { slot: self.slot, active: &self.active, flushing, store, agents, life: self.life };
        let mut effects = self.machine.apply(command, &view)?;
        let writes = std::mem::take(&mut effects.writes);
        for write in &writes {
            if let Write::AgentForgotten(agent) = write {
                agents.lock().pop(&(self.life, *agent));
            }
            if let Write::Agent(agent) = write {
                let mut cache = agents.lock();
                // Only what is there is kept true: an agent that nobody reads need not push out others.
                if let Some(cached) = cache.peek_mut(&(self.life, agent.id)) {
                    *cached = Arc::clone(agent);
                }
            }
        }
        self.active.absorb(writes);
        Ok(effects)
    }
}

impl ShardCell {
    pub(super) fn new(state: ShardState) -> Self {
        let shard = state.slot.shard;
        let hot_bytes = AtomicU64::new(state.machine.hot_bytes());
        let stored_bytes = AtomicU64::new(state.machine.stored_bytes());
        let (state, leading) = (RwLock::new(state), Leading::new(shard));
        Self { shard, state, leading, hot_bytes, stored_bytes, gone: AtomicBool::new(false) }
    }

    /// Applies those of an entry's commands that `outcome` has no answers of yet.
    ///
    /// # Errors
    /// [`ColdError`] when the store could not be read: `outcome` tells how far it came, and it is to be called again.
    pub(super) fn apply(
        &self,
        node: NodeId,
        commands: &[Command],
        outcome: &mut Outcome,
        store: &StoreCell,
        agents: &AgentCache,
    ) -> Result<(), ColdError> {
        while outcome.answers.len() < commands.len() {
            let mut state = self.state.write();
            let before = state.active.bytes;
            state.within_entry.get_or_insert(before);
            for command in commands.iter().skip(outcome.answers.len()).take(CHUNK) {
                let effects = state.apply(command.clone(), store, agents)?;
                let own = !matches!(command, Command::Activate { node: of, .. } if *of != node);
                outcome.answers.push(effects.result);
                let told = effects.events.into_iter();
                outcome.events.extend(told.filter(|event| own || !matches!(event, LedgerEvent::LeaderGained { .. })));
            }
        }
        Ok(())
    }

    /// How many bytes of it wait to be stored.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.state.read().layers().map(|dirty| dirty.bytes).sum()
    }

    /// Notes that the whole entry has been applied.
    pub(super) fn applied(&self, entry: LogId, membership: Option<Membership>) -> Taken {
        let mut state = self.state.write();
        let before = state.within_entry.take();
        state.applied = Some(entry);
        self.hot_bytes.store(state.machine.hot_bytes(), Ordering::Relaxed);
        self.stored_bytes.store(state.machine.stored_bytes(), Ordering::Relaxed);
        if let Some(membership) = membership {
            state.membership = membership;
        }
        let first = !std::mem::replace(&mut state.touched, true);
        // Within an entry the changes cannot have gone to the flusher.
        let bytes = before.map_or(0, |before| state.active.bytes.saturating_sub(before));
        Taken { bytes, first }
    }

    /// Takes what is to be stored, unless there is nothing, or an entry has been applied in part. The second says whether
    /// there will be more in a moment.
    pub(super) fn take_changes(&self) -> (Option<Arc<Changes>>, bool) {
        if self.gone.load(Ordering::Acquire) {
            return (None, false);
        }
        let mut state = self.state.write();
        if state.within_entry.is_some() {
            return (None, true);
        }
        if !state.touched || state.flushing.is_some() {
            return (None, false);
        }
        state.touched = false;
        let record = GroupRecord {
            generation: state.slot.generation,
            applied: state.applied,
            membership: state.membership.clone(),
            shard: *state.machine.record(),
        };
        let changes = Arc::new(Changes { record, slot: state.slot, dirty: std::mem::take(&mut state.active) });
        state.flushing = Some(Arc::clone(&changes));
        (Some(changes), false)
    }

    /// Notes that what [`Self::take_changes`] answered with is stored.
    pub(super) fn stored(&self, changes: &Changes) {
        let mut state = self.state.write();
        state.flushing = None;
        state.durable = changes.record.meta();
    }
}
