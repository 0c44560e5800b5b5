//! What is in a backup, by the names of its parts.

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

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The shape of this record.
    pub(crate) schema: u16,
    /// The build that made it.
    pub(crate) version: String,
    /// The cluster.
    pub(crate) cluster: String,
    /// How many shards the cluster has.
    pub(crate) shards: u16,
    /// The node.
    pub(crate) node: String,
    /// Its name, zone and weight.
    pub(crate) name: String,
    /// Its zone.
    pub(crate) zone: Option<String>,
    /// Its weight.
    pub(crate) capacity: Option<u32>,
    /// When it was taken.
    pub(crate) taken_at: Timestamp,
    /// The groups that are in it: 0 is the control group, shard `n` is group `n + 1`.
    pub(crate) groups: Vec<u16>,
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

/// Whether a path below the home may be written by a restore: plain names, no way out of the home.
pub(crate) fn is_plain(path: &str) -> bool {
    let plain = |word: &str| {
        !word.is_empty()
            && !word.starts_with('.')
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    !path.is_empty() && path.split('/').all(plain)
}

/// Whether it is the name of a document: the SHA-256 of its content.
pub(crate) fn is_blob(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
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
    fn no_part_leads_out_of_the_home() {
        assert!(is_plain("config.yaml") && is_plain("secrets/store-1.bin"));
        for wrong in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".ssh/x", "a\\b", "a b"] {
            assert!(!is_plain(wrong), "{wrong}");
        }
    }
}
