//! The logs of all groups of this node.

use super::super::replica::ReplicaIncarnation;
use super::super::types::GroupId;
use super::error::LogOpenError;
use super::group_log::GroupLog;
use super::shared::Shared;
use super::writer::Writer;
use super::{Gap, LogId, life, opening, recover};
use crate::stores::{Opener, StoreCell};
use crate::work;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::ProposeError;
use octopussy_store::{StoreError, StoreOptions};
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long dropping a host waits for its thread: as long as a slow disk needs for one batch.
const DROP_LIMIT: Duration = Duration::from_secs(5);

/// The logs of all groups of this node. Dropping it without [`LogHost::close`] gives up what is in line, like a crash.
pub(crate) struct LogHost {
    shared: Arc<Shared>,
    /// Disconnected once the writer has ended and the store is closed.
    ended: Arc<Mutex<Receiver<()>>>,
}

impl LogHost {
    /// Opens the store at `path`, or makes it, and starts the writer. It blocks while it reads where each log ends.
    ///
    /// # Errors
    /// [`LogOpenError`]; what is on the disk is as it was.
    pub(crate) fn open(path: &Path, options: StoreOptions, opener: Opener) -> Result<Arc<Self>, LogOpenError> {
        let store = StoreCell::open(path.to_path_buf(), options, opener)?;
        let found = opening::load(path, &store)?;
        let shared = Arc::new(Shared::new(path.to_path_buf(), store, found.groups));
        let (running, ended) = channel();
        let writer = Writer::new(Arc::clone(&shared), found.sweeps, running);
        work::start("raft-log", writer).map_err(LogOpenError::Thread)?;
        Ok(Arc::new(Self { shared, ended: Arc::new(Mutex::new(ended)) }))
    }

    /// The log of a group, for its Raft. A group that has none yet gets an empty one; nothing is written for that.
    /// One Raft at a time may write to it.
    pub(crate) fn group(&self, id: GroupId) -> GroupLog {
        GroupLog::new(Arc::clone(&self.shared), self.shared.group(id))
    }

    /// Waits until the disk has everything that was written to the log of a group, however long that takes: a Raft that is
    /// started on it takes what it finds there for durable.
    ///
    /// # Errors
    /// When the host is closed meanwhile.
    pub(crate) async fn settle(&self, id: GroupId) -> io::Result<()> {
        recover::settle(&self.shared, id).await
    }

    /// Notes that the logs are older than what this node wrote last: the replicas they are of live no longer, and those that begin
    /// with what they have are others.
    pub(crate) fn restored(&self) {
        for group in self.shared.groups.lock().values() {
            group.state.lock().restored = true;
        }
    }

    /// Begins the life of this node's replica of a group, in its start `boot`, or goes on with it. One that begins after a deletion
    /// is bound by the vote of the one before it. Answers with its incarnation.
    ///
    /// # Errors
    /// When the host is closed.
    pub(crate) async fn begin(&self, id: GroupId, boot: u64) -> io::Result<ReplicaIncarnation> {
        life::begin(&self.shared, id, boot).await
    }

    /// Deletes the log of a group durably, and keeps of it what outlives a replica: its incarnation and its vote. Its Raft must
    /// have been shut down.
    ///
    /// # Errors
    /// When the host is closed meanwhile; whether the log is still there is not known then.
    pub(crate) async fn bury(&self, id: GroupId) -> io::Result<()> {
        life::bury(&self.shared, id).await
    }

    /// What is missing between the log of a group and a state that has applied everything up to `applied`.
    pub(crate) fn gap(&self, id: GroupId, applied: Option<LogId>) -> Option<Gap> {
        self.shared.group(id).state.lock().gap(applied)
    }

    /// Whether nothing at all is known of a replica of the group, not even that there was one.
    pub(crate) fn is_unknown(&self, id: GroupId) -> bool {
        let group = self.shared.group(id);
        let state = group.state.lock();
        state.life.is_none() && state.is_empty()
    }

    /// Begins another life of the replica of a group, whose log does not fit its state: it goes on after what that has applied.
    /// Its Raft must not run.
    ///
    /// # Errors
    /// When the host is closed meanwhile.
    pub(crate) async fn renew(&self, id: GroupId, boot: u64, applied: Option<LogId>) -> io::Result<()> {
        life::renew(&self.shared, id, boot, applied).await
    }

    /// Whether the replica of a group is deleted, and what is left of its state is to go as well.
    pub(crate) fn is_buried(&self, id: GroupId) -> bool {
        let groups = self.shared.groups.lock();
        groups.get(&id).is_some_and(|group| group.state.lock().life.is_some_and(|life| !life.lives))
    }

    /// Makes `node` (this node) the only voter of a group that has lost its majority for good: appends a membership entry
    /// of a new term that says so, durably, so that the group's Raft elects itself alone when it is started again. Its Raft
    /// must have been shut down. `applied` is how far the group's state is, which may be further than its log after a crash.
    /// Answers with the id of the entry.
    ///
    /// # Errors
    /// When the host is closed meanwhile; whether the entry is there is not known then.
    pub(crate) async fn force_sole_voter(
        &self,
        id: GroupId,
        node: NodeId,
        applied: Option<LogId>,
    ) -> io::Result<LogId> {
        recover::force_sole_voter(&self.shared, id, node, applied).await
    }

    /// The groups of which there is anything: an entry, a vote, or a mark of what was dropped.
    pub(crate) fn groups_with_data(&self) -> Vec<GroupId> {
        let groups = self.shared.groups.lock();
        groups.values().filter(|group| !group.state.lock().is_empty()).map(|group| group.id).collect()
    }

    /// Whether the logs can be written and read.
    ///
    /// # Errors
    /// [`ProposeError::DiskFull`] or [`ProposeError::Store`] while they cannot. Nothing is lost meanwhile; it is tried again
    /// every half second.
    pub(crate) fn health(&self) -> Result<(), ProposeError> {
        self.shared.health.check()
    }

    /// The bytes of the entries that were made durable since the start.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.shared.appended_bytes.load(Ordering::Relaxed)
    }

    /// How often the logs were synced since the start.
    pub(crate) fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }

    /// The bytes the logs take on the disk.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub(crate) fn size_on_disk(&self) -> Result<u64, StoreError> {
        match self.shared.store.guard().as_ref() {
            Some(store) => store.size(),
            None => Err(StoreError::Failed { path: self.shared.path.clone() }),
        }
    }

    /// Lets nothing more in, writes what is in line, and closes the store. Writes in line that cannot be written because
    /// the store fails are given up, and their callers told. Says whether that was done within `limit`; if not, it goes on
    /// behind the caller's back.
    pub(crate) async fn close(&self, limit: Duration) -> bool {
        self.shared.line.close();
        let ended = Arc::clone(&self.ended);
        let waiting = work::blocking(move || wait_for_end(&ended, limit));
        waiting.await.unwrap_or(false)
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

fn wait_for_end(ended: &Mutex<Receiver<()>>, limit: Duration) -> bool {
    matches!(ended.lock().recv_timeout(limit), Err(RecvTimeoutError::Disconnected))
}

impl Drop for LogHost {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.shared.line.close();
        if !wait_for_end(&self.ended, DROP_LIMIT) {
            tracing::warn!("the log's thread has not ended in time; the store stays open until it does");
        }
    }
}
