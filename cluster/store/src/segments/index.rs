//! Where every key's value lies.

use super::codec::Change;
use crate::Keyspace;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the segment.
    pub(super) segment: u64,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// How long it is.
    pub(super) length: u32,
}

/// The keys of one keyspace.
pub(super) type Keys = BTreeMap<Box<[u8]>, Place>;

/// Where every key's value lies. A clone is cheap, and stays as it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    spaces: [Arc<Keys>; Keyspace::ALL.len()],
    /// The bytes of keys and values that each segment holds and that still count.
    live: BTreeMap<u64, u64>,
}

fn weight(key: &[u8], place: Place) -> u64 {
    key.len() as u64 + u64::from(place.length)
}

impl Index {
    /// The keys of a keyspace.
    pub(super) fn keys(&self, keyspace: Keyspace) -> &Keys {
        &self.spaces[keyspace as usize]
    }

    /// Takes up a change of a frame whose payload begins at `payload` in `segment`. Ranges must not be backward.
    pub(super) fn apply(&mut self, segment: u64, payload: u64, keyspace: Keyspace, change: &Change<'_>) {
        let keys = Arc::make_mut(&mut self.spaces[keyspace as usize]);
        match change {
            Change::Put { key, at, value } => {
                // Both are bounded by the frame's length, which is a u32.
                let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
                let place = Place { segment, offset: payload + *at as u64, length };
                *self.live.entry(segment).or_default() += weight(key, place);
                if let Some(before) = keys.insert(Box::from(*key), place) {
                    forget(&mut self.live, key, before);
                }
            }
            Change::Delete(key) => {
                if let Some(before) = keys.remove(*key) {
                    forget(&mut self.live, key, before);
                }
            }
            Change::DeleteRange(from, to) => {
                let range = (from.map(Box::from), to.map(Box::from));
                for (key, before) in keys.extract_if(range, |_, _| true) {
                    forget(&mut self.live, &key, before);
                }
            }
        }
    }

    /// The bytes that still count in a segment.
    pub(super) fn live(&self, segment: u64) -> u64 {
        self.live.get(&segment).copied().unwrap_or_default()
    }

    /// The bytes that still count in all of them.
    pub(super) fn live_in_all(&self) -> u64 {
        self.live.values().sum()
    }

    /// What still counts in a segment.
    pub(super) fn of(&self, segment: u64) -> Vec<(Keyspace, Box<[u8]>, Place)> {
        let keyspaces = Keyspace::ALL.into_iter();
        let keys =
            keyspaces.flat_map(|keyspace| self.keys(keyspace).iter().map(move |(key, place)| (keyspace, key, place)));
        keys.filter(|(_, _, place)| place.segment == segment)
            .map(|(keyspace, key, place)| (keyspace, key.clone(), *place))
            .collect()
    }

    /// Notes that a segment is gone; nothing counts in it any more.
    pub(super) fn drop_segment(&mut self, segment: u64) {
        self.live.remove(&segment);
    }
}

fn forget(live: &mut BTreeMap<u64, u64>, key: &[u8], place: Place) {
    if let Some(bytes) = live.get_mut(&place.segment) {
        *bytes = bytes.saturating_sub(weight(key, place));
    }
}
