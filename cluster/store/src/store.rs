//! The port.

use crate::{Batch, Keyspace, StoreError};
use std::ops::{Bound, ControlFlow};

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk.
    Fsync,
    /// When readers see it. It reaches the disk with the next [`Durability::Fsync`] commit; a crash before that loses it, and
    /// with it every buffered commit since, but never part of one and never an earlier one alone.
    Buffered,
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key up.
    Forward,
    /// From the largest key down.
    Reverse,
}

/// A range of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it starts.
    pub from: Bound<Vec<u8>>,
    /// Where it ends.
    pub to: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub const ALL: Self = Self { from: Bound::Unbounded, to: Bound::Unbounded };

    /// Every key that starts with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if let Some(next) = last.checked_add(1) {
                end.push(next);
                return Self { from: Bound::Included(prefix.to_vec()), to: Bound::Excluded(end) };
            }
        }
        Self { from: Bound::Included(prefix.to_vec()), to: Bound::Unbounded }
    }

    /// Whether no key can be in it. Engines differ in what they do with such a range, so they are not asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        }
    }

    /// Its bounds as slices.
    #[must_use]
    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.from.as_ref().map(Vec::as_slice), self.to.as_ref().map(Vec::as_slice))
    }
}

/// A key with its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Is called for each row of a scan, and says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// A view of the store as it was at one moment. Hold it briefly: engines may keep space or writers waiting for it.
pub trait Snapshot {
    /// The value of `key`.
    ///
    /// # Errors
    /// Any [`StoreError`]; reading changes nothing.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the rows of `range` in order until `visit` breaks.
    ///
    /// # Errors
    /// Any [`StoreError`]; reading changes nothing.
    fn scan(
        &self,
        keyspace: Keyspace,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;

    /// At most `limit` rows of `range` in order.
    ///
    /// # Errors
    /// Any [`StoreError`]; reading changes nothing.
    fn page(
        &self,
        keyspace: Keyspace,
        range: &KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        self.scan(keyspace, range, direction, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            if rows.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(rows)
    }
}

/// Ordered keyspaces in one place, with atomic batches. One process at a time has it open.
pub trait Store: Send + Sync {
    /// The present state, unchanged by later commits.
    ///
    /// # Errors
    /// Any [`StoreError`].
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError>;

    /// Makes the changes of `batch` together or not at all. Commits of several threads happen one after another.
    ///
    /// # Errors
    /// Any [`StoreError`]. After one the batch may be there after reopening or not, but never in part, and the store refuses
    /// further commits until it has been reopened.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError>;

    /// The value of `key`.
    ///
    /// # Errors
    /// Any [`StoreError`]; reading changes nothing.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot()?.get(keyspace, key)
    }

    /// The bytes it takes on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn size(&self) -> Result<u64, StoreError>;

    /// Whether commits are possible.
    ///
    /// # Errors
    /// Why they are not.
    fn health(&self) -> Result<(), StoreError>;
}
