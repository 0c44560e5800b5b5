//! What stands in line before the writer.

use super::super::types::{GroupId, TypeConfig};
use super::group::Group;
use octopussy_store::{Keyspace, Operation};
use openraft::storage::IOFlushed;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// What a job counts beside its bytes: its keys, the entries' places in memory, the store's work.
pub(super) const JOB_OVERHEAD: usize = 512;

/// Who waits for a job.
pub(super) enum Done {
    Nobody,
    /// openraft, for appended entries.
    Appended(IOFlushed<TypeConfig>),
    /// A caller who waits.
    Caller(oneshot::Sender<()>),
}

/// Old entries that are to be deleted: those of a group from one index up to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sweep {
    pub(super) group: GroupId,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// A write of one group, encoded.
pub(super) struct Job {
    pub(super) group: Arc<Group>,
    /// What is to be written, in this order.
    pub(super) writes: Vec<(Keyspace, Operation)>,
    /// Entries to delete when there is time.
    pub(super) sweep: Option<Sweep>,
    /// Whether the whole log of the group goes, and with it what is still to be swept of it.
    pub(super) forgets: bool,
    /// Whether somebody waits: other jobs are written together with the next that is urgent.
    pub(super) urgent: bool,
    /// The bytes of the entries it appends, as the window of recent entries counts them.
    pub(super) appended: usize,
    pub(super) done: Done,
    /// Its place in the line, given back when it is done.
    pub(super) _place: OwnedSemaphorePermit,
}

impl Job {
    /// A job that writes nothing yet and that nobody waits for.
    pub(super) const fn new(group: Arc<Group>, place: OwnedSemaphorePermit) -> Self {
        Self {
            group,
            writes: Vec::new(),
            sweep: None,
            forgets: false,
            urgent: false,
            appended: 0,
            done: Done::Nobody,
            _place: place,
        }
    }
}
