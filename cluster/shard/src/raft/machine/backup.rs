//! Images of the groups' states for a backup, and their way into a new state store.

use super::host::StateHost;
use super::install;
use super::snapshot::{ImageReader, SnapshotError, SnapshotFile};
use crate::raft::GroupId;
use octopussy_control::ControlState;
use openraft::storage::RaftStateMachine;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How often the image of a state that moves on is begun anew.
const ATTEMPTS: u32 = 20;

impl StateHost {
    /// A file of a group's state as it is now, with the term and the index of the last entry in it. It is removed when what is returned is dropped.
    ///
    /// # Errors
    /// [`SnapshotError`]; nothing is left behind.
    pub(crate) async fn image(&self, group: GroupId) -> Result<(SnapshotFile, (u64, u64)), SnapshotError> {
        for _ in 0..ATTEMPTS {
            self.shared.signal.flush().await.map_err(io::Error::other)?;
            let meta = self.shared.durable(group);
            let position = meta.last_log_id.map_or((0, 0), |last| (last.leader_id.term, last.index));
            let mut file = SnapshotFile::of_state(Arc::clone(&self.shared), group, meta);
            match file.with_path(|_| Ok(())).await {
                Ok(()) => return Ok((file, position)),
                Err(SnapshotError::Stale) => {}
                Err(error @ (SnapshotError::Io(_) | SnapshotError::Store(_) | SnapshotError::Damaged(_))) => {
                    return Err(error);
                }
            }
        }
        Err(SnapshotError::Stale)
    }

    /// Takes a group's state from an image that was verified.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) async fn take_image(&self, group: GroupId, image: &Path) -> Result<(), SnapshotError> {
        let reader = ImageReader::open(image)?;
        if reader.head().group != group {
            return Err(SnapshotError::Damaged(format!("it is of group {}", reader.head().group)));
        }
        let meta = reader.head().meta.clone();
        drop(reader);
        let mut writer = self.receive_snapshot(group).await?;
        let mut source = tokio::fs::File::open(image).await?;
        loop {
            let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
            if tokio::io::AsyncReadExt::read_buf(&mut source, &mut chunk).await? == 0 {
                break;
            }
            writer.write(chunk.freeze()).await?;
        }
        let file = writer.finish().await?;
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

/// How much of an image is copied at once.
const CHUNK: usize = 256 * 1024;
