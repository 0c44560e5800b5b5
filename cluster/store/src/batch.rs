//! A batch: changes that happen together or not at all.

use crate::{KeyRange, Keyspace};

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Sets a key.
    Put(Vec<u8>, Vec<u8>),
    /// Removes a key; removing one that is not there is fine.
    Delete(Vec<u8>),
    /// Removes every key of the range.
    DeleteRange(KeyRange),
}

/// Changes that happen together or not at all, in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    operations: Vec<(Keyspace, Operation)>,
}

impl Batch {
    /// A batch without changes.
    #[must_use]
    pub const fn new() -> Self {
        Self { operations: Vec::new() }
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.operations.push((keyspace, Operation::Put(key.into(), value.into())));
    }

    /// Removes `key`.
    pub fn delete(&mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>) {
        self.operations.push((keyspace, Operation::Delete(key.into())));
    }

    /// Removes every key of `range`.
    pub fn delete_range(&mut self, keyspace: Keyspace, range: KeyRange) {
        self.operations.push((keyspace, Operation::DeleteRange(range)));
    }

    /// How many changes it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The changes in the order in which they were added.
    #[must_use]
    pub fn operations(&self) -> &[(Keyspace, Operation)] {
        &self.operations
    }

    /// The changes, by keyspace and within each in the order in which they were added: engines open each keyspace once.
    #[must_use]
    pub fn grouped(&self) -> Vec<&(Keyspace, Operation)> {
        let mut operations: Vec<_> = self.operations.iter().collect();
        operations.sort_by_key(|(keyspace, _)| *keyspace);
        operations
    }
}
