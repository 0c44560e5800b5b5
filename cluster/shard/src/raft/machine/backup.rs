//! Images of the groups' states for a backup, and their way into a new state store.

use super::group_record::LogId;
use super::host::StateHost;
use super::install;
use super::snapshot::temporary::TemporaryFile;
use super::snapshot::{SnapshotError, SnapshotFile, blocking, image, verified};
use crate::raft::GroupId;
use octopussy_control::ControlState;
use openraft::storage::RaftStateMachine;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl StateHost {
    /// A file of a group's state as it is now, with the last entry in it. The file is removed when what is returned is dropped.
    ///
    /// # Errors
    /// [`SnapshotError`]; nothing is left behind.
    pub(crate) async fn image(&self, group: GroupId) -> Result<(SnapshotFile, Option<LogId>), SnapshotError> {
        // What was acknowledged before this was asked for is in the store then.
        self.shared.signal.flush().await.map_err(io::Error::other)?;
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let number = shared.snapshots.fetch_add(1, Ordering::Relaxed);
            let place = TemporaryFile::new(&shared.config.dir, group, number);
            let meta = image::write_present(&shared, group, &place)?;
            Ok((SnapshotFile::received(place, Arc::default()), meta.last_log_id))
        })
        .await
    }

    /// Takes a group's state from an image, which is verified before and removed in any case.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) async fn take_image(&self, group: GroupId, image: PathBuf) -> Result<(), SnapshotError> {
        let place = TemporaryFile::at(image);
        let (file, meta) = blocking(move || verified(place, group, Arc::default())).await?;
        match group.shard() {
            Some(shard) => self.shard(shard).install_snapshot(&meta, file).await?,
            None => install::control(&self.shared, &meta, file).await?,
        }
        Ok(())
    }

    /// Changes the control group's state behind the back of its log: for a state that nobody else has.
    ///
    /// # Errors
    /// When it is not stored.
    pub(crate) async fn rewrite_control(&self, change: impl FnOnce(&mut ControlState)) -> io::Result<()> {
        {
            let mut inner = self.shared.control.inner.lock();
            change(Arc::make_mut(&mut inner.state));
            inner.touched = true;
        }
        self.shared.control.publish();
        self.shared.signal.flush().await.map_err(io::Error::other)
    }
}
