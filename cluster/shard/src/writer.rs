//! The log writer: the one thread that waits for the disk on behalf of every shard.

use crate::applier::FLUSH_BYTES;
use crate::applying::Outcome;
use crate::error::propose_error;
use crate::failure::Part;
use crate::inner::Inner;
use crate::log_batch::{self, LogBatch};
use crate::maintenance::Maintenance;
use crate::proposal::{Committed, Proposal, Reply};
use crate::queue::Taken;
use octopussy_ledger::ColdError;
use octopussy_store::{Batch, Direction, Durability, KeyRange, Keyspace, StoreError};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// How many batches may be durable and not applied yet: one being applied and one to go on with. More would only add waiting.
pub(crate) const BATCHES_AHEAD: usize = 2;

/// How many commands the writer applies itself: about as many as take the time of waking the applier. With more, the next
/// sync had better go on meanwhile.
const APPLIED_HERE: usize = 16;

/// How long to wait before a failed store is tried again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Appends what is in line to the log and hands it on once it is durable.
pub(crate) struct Writer {
    pub(crate) inner: Arc<Inner>,
    pub(crate) applier: SyncSender<Committed>,
    /// The index of the next command.
    pub(crate) next: u64,
    /// Everything up to this index has been dropped from the log.
    pub(crate) purged: u64,
    pub(crate) maintenance: Maintenance,
}

impl Writer {
    /// Runs until the queue is closed and empty, or the applier is gone.
    pub(crate) fn run(mut self) {
        loop {
            let mut proposals = match self.inner.queue.take(self.maintenance.patience()) {
                Taken::Proposals(proposals) => proposals,
                Taken::Closed => return,
            };
            let arrivals = !proposals.is_empty();
            proposals.extend(self.maintenance.due(&self.inner, arrivals));
            if proposals.is_empty() {
                continue;
            }
            let written = self.append(&proposals);
            let delivered = match written {
                Ok(()) => self.hand_on(proposals),
                Err(error) => self.fail(proposals, &error),
            };
            if !delivered {
                return;
            }
        }
    }

    /// Writes the commands behind each other into one record, durably, and drops what the state store has by now.
    fn append(&mut self, proposals: &[Proposal]) -> Result<(), StoreError> {
        let bytes = proposals.iter().map(|proposal| proposal.encoded.len()).sum();
        let mut record = LogBatch::with_capacity(proposals.len(), bytes);
        for proposal in proposals {
            record.push(proposal.shard, &proposal.encoded);
        }
        let mut batch = Batch::new();
        let durable = self.inner.durable.load(Ordering::Acquire);
        if durable > self.purged {
            // The state holds whole records only, so a record that starts at or below is below altogether.
            let to = Bound::Included(durable.to_be_bytes().to_vec());
            batch.delete_range(Keyspace::Log, KeyRange { from: Bound::Unbounded, to });
        }
        batch.put(Keyspace::Log, self.next.to_be_bytes(), record.into_bytes());
        self.inner.log.commit(batch, Durability::Fsync)?;
        self.purged = durable;
        Ok(())
    }

    /// Applies durable commands, or gives them to the applier. Says whether the node goes on.
    fn hand_on(&mut self, proposals: Vec<Proposal>) -> bool {
        let first = self.next;
        self.next += proposals.len() as u64;
        let committed = Committed { first, proposals };
        if !self.applies_here(&committed) {
            return self.applier.send(committed).is_ok();
        }
        match self.inner.apply(committed) {
            Outcome::Applied { first_changes: false } => true,
            // The applier sleeps while there is nothing to flush.
            Outcome::Applied { first_changes: true } => {
                self.applier.send(Committed { first: self.next, proposals: Vec::new() }).is_ok()
            }
            Outcome::Stopped => false,
        }
    }

    /// Whether these are few and everything before them is applied. While there is much to flush, the applier's pace counts.
    fn applies_here(&self, committed: &Committed) -> bool {
        committed.proposals.len() <= APPLIED_HERE
            && self.inner.applied.load(Ordering::Acquire) + 1 == committed.first
            && self.inner.state.read().active.bytes < FLUSH_BYTES
    }

    /// Answers everybody with the error, then tries until the log works again. What the failed write left in the log is
    /// applied then: its callers know that it may be there.
    fn fail(&mut self, proposals: Vec<Proposal>, error: &StoreError) -> bool {
        let answer = propose_error(error);
        self.inner.failures.set(Part::Log, answer.clone());
        for proposal in proposals {
            proposal.reply.send(Err(answer.clone()));
        }
        loop {
            if self.inner.queue.wait_closed(RETRY_AFTER) {
                self.refuse_rest();
                return false;
            }
            self.refuse_rest();
            match self.recover() {
                Ok(recovered) => {
                    self.inner.failures.clear(Part::Log);
                    return recovered.is_empty() || self.hand_on(recovered);
                }
                Err(error) => tracing::debug!(%error, "the log still cannot be written"),
            }
        }
    }

    /// Answers those who got in line before the failure was known.
    fn refuse_rest(&self) {
        let Err(error) = self.inner.failures.check() else { return };
        if let Taken::Proposals(proposals) = self.inner.queue.take(Duration::ZERO) {
            for proposal in proposals {
                proposal.reply.send(Err(error.clone()));
            }
        }
    }

    /// Opens the log anew, proves that it can be written, and reads what lies in it from the next index on.
    fn recover(&mut self) -> Result<Vec<Proposal>, ColdError> {
        let cold = |error: StoreError| crate::error::cold_error(&error);
        self.inner.log.reopen().map_err(cold)?;
        let mut probe = Batch::new();
        // As large as a usual batch: a disk with room for a byte only is still full.
        probe.put(Keyspace::Meta, b"probe".as_slice(), vec![0; 64 * 1024]);
        self.inner.log.commit(probe, Durability::Fsync).map_err(cold)?;
        let mut sweep = Batch::new();
        sweep.delete(Keyspace::Meta, b"probe".as_slice());
        self.inner.log.commit(sweep, Durability::Fsync).map_err(cold)?;
        let range = KeyRange { from: Bound::Included(self.next.to_be_bytes().to_vec()), to: Bound::Unbounded };
        let rows = self
            .inner
            .log
            .with(|store| store.snapshot()?.page(Keyspace::Log, &range, Direction::Forward, usize::MAX))?;
        let mut found = Vec::new();
        for (_, value) in rows {
            for (shard, command) in log_batch::decode(&value)? {
                let encoded = crate::records::encode("a command", &command)?;
                found.push(Proposal { shard, command, encoded, reply: Reply::Nobody });
            }
        }
        Ok(found)
    }
}
