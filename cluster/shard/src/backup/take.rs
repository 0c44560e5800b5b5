//! Images of the groups that live here.

use crate::ShardHost;
use crate::raft::GroupId;
use crate::raft::machine::{SnapshotError, SnapshotFile, SnapshotReader};
use bytes::Bytes;

/// How much of an image is read at once.
const CHUNK: usize = 256 * 1024;

/// An image could not be made or read.
#[derive(Debug, thiserror::Error)]
#[error("group {group} cannot be read: {detail}")]
pub struct BackupError {
    /// Its number: 0 is the control group, shard `n` is group `n + 1`.
    pub group: u16,
    /// Why.
    pub detail: String,
}

/// One group's state at one moment, in a file that is removed when this is dropped.
pub struct GroupImage {
    /// The group's number: 0 is the control group, shard `n` is group `n + 1`.
    pub group: u16,
    /// The term and the index of the last entry that is in it.
    pub position: (u64, u64),
    /// How long it is.
    pub bytes: u64,
    _file: SnapshotFile,
    reader: SnapshotReader,
}

impl std::fmt::Debug for GroupImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupImage")
            .field("group", &self.group)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl GroupImage {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// [`BackupError`]: the file cannot be read.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BackupError> {
        let group = self.group;
        let failed = |error: SnapshotError| BackupError { group, detail: error.to_string() };
        self.reader.next(CHUNK).await.map_err(failed)
    }
}

impl ShardHost {
    /// The numbers of the groups of which this node has applied something, the control group first.
    #[must_use]
    pub fn stored_groups(&self) -> Vec<u16> {
        let mut groups: Vec<u16> = self.core().context.state.groups().into_iter().map(|group| group.0).collect();
        groups.sort_unstable();
        groups
    }

    /// An image of what this node has applied of a group, all of one moment. The group goes on meanwhile.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left behind.
    pub async fn image(&self, group: u16) -> Result<GroupImage, BackupError> {
        let failed = |error: SnapshotError| BackupError { group, detail: error.to_string() };
        let (mut file, position) = self.core().context.state.image(GroupId(group)).await.map_err(failed)?;
        let reader = file.read().await.map_err(failed)?;
        Ok(GroupImage { group, position, bytes: reader.len(), _file: file, reader })
    }
}
