//! How the logs lie in the store: an entry below its group and index, the small records of each group beside them.

use super::super::types::GroupId;
use octopussy_store::KeyRange;
use std::ops::Bound;

/// What the records of a group begin with in the keyspace of small records.
const PREFIX: &[u8; 5] = b"raft/";

/// A small record of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// The last vote.
    Vote,
    /// The last entry that has been dropped from the beginning.
    Purged,
    /// The last entry that was known to be committed.
    Committed,
    /// Which replica of the group this node has or had. It is kept when the rest is deleted.
    Life,
}

impl Record {
    pub(super) const ALL: [Self; 4] = [Self::Vote, Self::Purged, Self::Committed, Self::Life];

    const fn byte(self) -> u8 {
        match self {
            Self::Vote => b'v',
            Self::Purged => b'p',
            Self::Committed => b'c',
            Self::Life => b'l',
        }
    }

    /// Where the record of a group lies.
    pub(super) fn key(self, group: GroupId) -> Vec<u8> {
        let mut key = PREFIX.to_vec();
        key.extend_from_slice(&group.0.to_be_bytes());
        key.push(self.byte());
        key
    }

    /// All records of all groups.
    pub(super) fn range() -> KeyRange {
        KeyRange::prefix(PREFIX)
    }

    /// Which record of which group lies there; `None` when this build does not know it.
    pub(super) fn parse(key: &[u8]) -> Option<(GroupId, Self)> {
        let [high, low, byte] = *key.strip_prefix(PREFIX)? else { return None };
        let record = Self::ALL.into_iter().find(|record| record.byte() == byte)?;
        Some((GroupId(u16::from_be_bytes([high, low])), record))
    }
}

/// Where an entry lies.
pub(super) fn entry(group: GroupId, index: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(10);
    key.extend_from_slice(&group.0.to_be_bytes());
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The group and index of an entry's key.
pub(super) fn parse_entry(key: &[u8]) -> Option<(GroupId, u64)> {
    let (group, index) = key.split_first_chunk::<2>()?;
    Some((GroupId(u16::from_be_bytes(*group)), u64::from_be_bytes(index.try_into().ok()?)))
}

/// The entries of a group from an index up to another, both included.
pub(super) fn entries(group: GroupId, first: u64, last: u64) -> KeyRange {
    KeyRange { from: Bound::Included(entry(group, first)), to: Bound::Included(entry(group, last)) }
}
