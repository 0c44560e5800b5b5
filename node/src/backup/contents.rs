//! What is in a backup, by the names of its parts.

use octopussy_core::ids::BlobId;
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The first part: what the backup is of.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Files of the home, by their path in it.
pub(crate) const HOME: &str = "home/";
/// Images of the groups: number, term and index of the last entry in it.
pub(crate) const GROUPS: &str = "groups/";
/// Documents, by their id.
pub(crate) const BLOBS: &str = "blobs/";
/// Documents that are named and could be had from no node: parts without content.
pub(crate) const LOST: &str = "lost/";

/// The settings.
pub(crate) const CONFIG: &str = "config.yaml";
/// The key that the shared secrets are sealed with.
pub(crate) const DATA_KEY: &str = "cluster/data.key";
/// The files of the home that a backup has, and the only ones that a restore writes; what follows from the cluster's keys is made
/// anew.
pub(crate) const HOME_FILES: [&str; 4] = [CONFIG, DATA_KEY, "secrets/key", "secrets/store.enc"];

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The shape of this record.
    pub(crate) schema: u16,
    /// The build that made it.
    pub(crate) version: String,
    /// The format of the groups' images.
    pub(crate) format: u32,
    /// The cluster.
    pub(crate) cluster: String,
    /// SHA-256 of the certificate of its authority, in hexadecimal.
    pub(crate) authority: String,
    /// How many shards the cluster has.
    pub(crate) shards: u16,
    /// The node.
    pub(crate) node: String,
    /// Its name.
    pub(crate) name: String,
    /// Its zone.
    pub(crate) zone: Option<String>,
    /// Its weight.
    pub(crate) capacity: Option<u32>,
    /// When it was taken.
    pub(crate) taken_at: Timestamp,
    /// The groups that are in it: 0 is the control group, shard `n` is group `n + 1`.
    pub(crate) groups: Vec<u16>,
    /// Those of them of which the node knew no leader: it may have been behind.
    pub(crate) leaderless: Vec<u16>,
}

/// The shape of the manifest that this build writes.
pub(crate) const MANIFEST_SCHEMA: u16 = 1;

impl Manifest {
    /// The shards that are not in it.
    pub(crate) fn missing(&self) -> Vec<u16> {
        (0..self.shards).filter(|shard| !self.groups.contains(&(shard + 1))).collect()
    }
}

/// The name of the part with a group's image.
pub(crate) fn group_part(group: u16, (term, index): (u64, u64)) -> String {
    format!("{GROUPS}{group}/{term}/{index}")
}

/// What such a name says.
pub(crate) fn group_of(name: &str) -> Option<(u16, (u64, u64))> {
    let mut words = name.strip_prefix(GROUPS)?.split('/');
    let group = words.next()?.parse().ok()?;
    let position = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some((group, position))
}

/// The path below the home that a part is for, when it is one that a restore may write.
pub(crate) fn home_file(name: &str) -> Option<&'static str> {
    let path = name.strip_prefix(HOME)?;
    HOME_FILES.into_iter().find(|file| *file == path)
}

/// The id of the document that a part holds, or says to be lost, by what its name begins with.
pub(crate) fn blob_of(name: &str, kind: &str) -> Option<BlobId> {
    let text = name.strip_prefix(kind)?;
    let id: BlobId = text.parse().ok()?;
    // One id has one name.
    (id.to_string() == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_part_is_named_by_how_far_it_has_come() {
        assert_eq!(group_of(&group_part(3, (5, 77))), Some((3, (5, 77))));
        for wrong in ["groups/3", "groups/3/5/x", "groups/3/5/7/9", "blobs/3/5/7", "groups/70000/1/1"] {
            assert_eq!(group_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_part_is_written_where_a_backup_has_nothing_to_write() {
        assert_eq!(home_file("home/config.yaml"), Some(CONFIG));
        for wrong in ["config.yaml", "home/", "home//etc/passwd", "home/../x", "home/tls/ca.key", "home/secrets/../x"] {
            assert_eq!(home_file(wrong), None, "{wrong}");
        }
        let id = BlobId::of(b"text");
        assert_eq!(blob_of(&format!("blobs/{id}"), BLOBS), Some(id));
        for wrong in ["blobs/", "blobs/../x", "blobs/aa", "home/aa"] {
            assert_eq!(blob_of(wrong, BLOBS), None, "{wrong}");
        }
        assert_eq!(blob_of(&format!("blobs/{}", id.to_string().to_uppercase()), BLOBS), None);
    }
}
