//! The groups that run on this node.

use super::group::Group;
use crate::raft::GroupId;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The groups that run on this node, by id.
#[derive(Default)]
pub(crate) struct Registry {
    groups: RwLock<BTreeMap<GroupId, Arc<Group>>>,
    held: Mutex<BTreeSet<GroupId>>,
}

/// Keeps a group for whoever holds it: nobody else starts or stops it meanwhile.
pub(crate) struct Hold<'a> {
    registry: &'a Registry,
    group: GroupId,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.registry.held.lock().remove(&self.group);
    }
}

impl Registry {
    pub(crate) fn get(&self, id: GroupId) -> Option<Arc<Group>> {
        self.groups.read().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Group>> {
        self.groups.read().values().cloned().collect()
    }

    pub(crate) fn ids(&self) -> Vec<GroupId> {
        self.groups.read().keys().copied().collect()
    }

    pub(crate) fn insert(&self, group: Arc<Group>) {
        self.groups.write().insert(group.id(), group);
    }

    pub(crate) fn remove(&self, id: GroupId) -> Option<Arc<Group>> {
        self.groups.write().remove(&id)
    }

    /// Keeps the group from being started or stopped by others; `None` when somebody else does.
    pub(crate) fn hold(&self, id: GroupId) -> Option<Hold<'_>> {
        self.held.lock().insert(id).then_some(Hold { registry: self, group: id })
    }

    /// Whether somebody keeps the group.
    pub(crate) fn is_held(&self, id: GroupId) -> bool {
        self.held.lock().contains(&id)
    }
}
