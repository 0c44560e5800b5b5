//! What the handles, the readers and the writer share.

use super::super::types::GroupId;
use super::group::Group;
use super::health::Health;
use super::line::Line;
use crate::stores::StoreCell;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// What the handles, the readers and the writer share. Locks are taken in the order groups, group, line.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) store: StoreCell,
    pub(super) line: Line,
    pub(super) health: Health,
    pub(super) groups: Mutex<BTreeMap<GroupId, Arc<Group>>>,
    /// Set when the host was dropped without being closed: what is in line is given up, as if the process had been killed.
    pub(super) abandoned: AtomicBool,
    /// The bytes of the entries that were made durable.
    pub(super) appended_bytes: AtomicU64,
    /// How often the disk was waited for.
    pub(super) syncs: AtomicU64,
    /// How often entries were read from the store.
    #[cfg(test)]
    pub(super) cold_reads: std::sync::atomic::AtomicU64,
}

impl Shared {
    pub(super) fn new(path: PathBuf, store: StoreCell, groups: BTreeMap<GroupId, Arc<Group>>) -> Self {
        Self {
            path,
            store,
            line: Line::new(),
            health: Health::default(),
            groups: Mutex::new(groups),
            abandoned: AtomicBool::new(false),
            appended_bytes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            #[cfg(test)]
            cold_reads: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// The group, which is empty if there was none.
    pub(super) fn group(&self, id: GroupId) -> Arc<Group> {
        Arc::clone(self.groups.lock().entry(id).or_insert_with(|| Arc::new(Group::empty(id))))
    }
}
