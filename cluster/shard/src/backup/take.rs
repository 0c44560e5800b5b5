//! Images of the groups that live here.

use crate::ShardHost;
use crate::raft::GroupId;
use crate::raft::machine::{SnapshotError, SnapshotFile};
use std::fs::File;
use std::io::{self, Read};

/// An image could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the image of {} cannot be made: {detail}", name(*group))]
pub struct BackupError {
    /// The group's number: 0 is the control group, shard `n` is group `n + 1`.
    pub group: u16,
    /// Why.
    pub detail: String,
}

fn name(group: u16) -> String {
    group.checked_sub(1).map_or_else(|| "the control group".to_owned(), |shard| format!("shard {shard}"))
}

/// One group's state at one moment, in a file that is removed when this is dropped.
#[derive(Debug)]
pub struct GroupImage {
    /// The group's number: 0 is the control group, shard `n` is group `n + 1`.
    pub group: u16,
    /// The term and the index of the last entry that is in it.
    pub position: (u64, u64),
    /// How long it is.
    pub bytes: u64,
    content: File,
    /// Removes the file.
    _held: SnapshotFile,
}

impl Read for GroupImage {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.content.read(bytes)
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

    /// An image of what this node has applied of a group, all of one moment. The group goes on meanwhile. It lies in a file of the
    /// data directory, so that whoever reads it slowly holds nobody up.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left behind.
    pub async fn image(&self, group: u16) -> Result<GroupImage, BackupError> {
        let failed = |error: SnapshotError| BackupError { group, detail: error.to_string() };
        let (mut file, last) = self.core().context.state.image(GroupId(group)).await.map_err(failed)?;
        let opened = file.with_path(|path| {
            let content = File::open(path)?;
            let bytes = content.metadata()?.len();
            Ok((content, bytes))
        });
        let (content, bytes) = opened.await.map_err(failed)?;
        let position = last.map_or((0, 0), |last| (last.leader_id.term, last.index));
        Ok(GroupImage { group, position, bytes, content, _held: file })
    }
}
