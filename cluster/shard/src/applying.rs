//! Applying what is durable, in order, and answering. Either the applier does it or, when that is idle and there is little
//! to do, the writer: waking another thread would take longer than the work.

use crate::failure::Part;
use crate::inner::Inner;
use crate::proposal::{Answer, Committed, Proposal, Reply};
use crate::writer::RETRY_AFTER;
use octopussy_core::codec;
use octopussy_core::ids::ShardId;
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Applied, LedgerEvent};
use octopussy_ledger::{ColdError, Effects};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How many commands are applied before readers get their turn and callers their answers.
const CHUNK: usize = 64;

/// What applying came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is applied. `first_changes`: before it there was nothing to flush, and now there is.
    Applied { first_changes: bool },
    /// The node stopped before the state could be read; the log holds the rest.
    Stopped,
}

impl Inner {
    /// Applies commands in their order and answers. Only one thread does so at a time: `applied` says when it is done.
    pub(crate) fn apply(&self, committed: Committed) -> Outcome {
        let mut index = committed.first;
        let mut first_changes = false;
        let mut proposals = committed.proposals.into_iter();
        let mut answers: Vec<(Reply, Answer)> = Vec::with_capacity(proposals.len().min(CHUNK));
        let mut events = Vec::new();
        loop {
            let mut state = self.state.write();
            let clean = state.active.is_empty();
            for Proposal { shard, command, encoded, reply } in proposals.by_ref().take(CHUNK) {
                let effects = match state.apply(index, shard, command, &self.store, &self.agents) {
                    Ok(effects) => effects,
                    Err(error) => {
                        drop(state);
                        let Some(effects) = self.insist(index, shard, &encoded, &error) else {
                            return Outcome::Stopped;
                        };
                        state = self.state.write();
                        // What was there before may have been handed to the flusher meanwhile.
                        first_changes = true;
                        effects
                    }
                };
                self.note_epoch(shard, &effects);
                answers.push((reply, effects.result.map_err(ProposeError::Refused)));
                events.extend(effects.events);
                index += 1;
            }
            drop(state);
            if answers.is_empty() {
                self.applied.store(index - 1, Ordering::Release);
                return Outcome::Applied { first_changes };
            }
            first_changes |= clean;
            self.deliver(&mut answers, &mut events);
        }
    }

    fn note_epoch(&self, shard: ShardId, effects: &Effects) {
        if let Ok(Applied::Activated(epoch)) = &effects.result
            && let Some(slot) = self.epochs.get(usize::from(shard.0))
        {
            slot.store(epoch.0, Ordering::Release);
        }
    }

    fn deliver(&self, answers: &mut Vec<(Reply, Answer)>, events: &mut Vec<LedgerEvent>) {
        for (reply, answer) in answers.drain(..) {
            reply.send(answer);
        }
        self.tell(events);
        events.clear();
    }

    /// Applies a command whose reading of the state failed, again and again: it is durable, so it cannot be given up on.
    fn insist(&self, index: u64, shard: ShardId, encoded: &[u8], error: &ColdError) -> Option<Effects> {
        self.failures.set(Part::Applier, ProposeError::Store(Arc::clone(&error.0)));
        loop {
            if self.queue.wait_closed(RETRY_AFTER) {
                return None;
            }
            if let Err(error) = self.store.reopen() {
                tracing::debug!(%error, "the state store still cannot be opened");
                continue;
            }
            let Ok(command) = codec::decode(encoded) else { return None };
            let applied = self.state.write().apply(index, shard, command, &self.store, &self.agents);
            match applied {
                Ok(effects) => {
                    self.failures.clear(Part::Applier);
                    return Some(effects);
                }
                Err(error) => tracing::debug!(%error, "the state still cannot be read"),
            }
        }
    }
}
