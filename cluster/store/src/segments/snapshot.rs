//! A view of the log as it was at one moment.

use super::index::{Index, Place};
use super::segment::Segment;
use crate::{Direction, KeyRange, Keyspace, Snapshot, StoreError, Visit};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Where everything lies. A clone is cheap, and stays as it is: segments that are deleted meanwhile stay open for it.
#[derive(Clone)]
pub(super) struct View {
    pub(super) index: Index,
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    pub(super) path: PathBuf,
}

impl View {
    /// The value at a place of the index.
    pub(super) fn read(&self, place: Place) -> Result<Vec<u8>, StoreError> {
        match self.segments.get(&place.segment) {
            Some(segment) => segment.read(place),
            None => {
                let detail = format!("segment {} is missing", place.segment);
                Err(StoreError::Corrupt { path: self.path.clone(), detail })
            }
        }
    }
}

impl Snapshot for View {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.index.keys(keyspace).get(key).map(|place| self.read(*place)).transpose()
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let mut keys = self.index.keys(keyspace).range::<[u8], _>(range.bounds());
        loop {
            let row = match direction {
                Direction::Forward => keys.next(),
                Direction::Reverse => keys.next_back(),
            };
            let Some((key, place)) = row else { return Ok(()) };
            if visit(key, &self.read(*place)?).is_break() {
                return Ok(());
            }
        }
    }
}
