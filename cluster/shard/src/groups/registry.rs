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
    /// Those that somebody starts, stops or deletes just now.
    changing: Mutex<BTreeSet<GroupId>>,
}

/// The right to start, stop or delete one group, while it is held: a group's log and state are for one Raft at a time.
pub(crate) struct Claim<'a> {
    registry: &'a Registry,
    id: GroupId,
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

    /// Whether this very group is in it, and not another start of it.
    pub(crate) fn holds(&self, group: &Arc<Group>) -> bool {
        self.groups.read().get(&group.id()).is_some_and(|held| Arc::ptr_eq(held, group))
    }

    pub(crate) fn insert(&self, group: Arc<Group>) {
        self.groups.write().insert(group.id(), group);
    }

    pub(crate) fn remove(&self, id: GroupId) -> Option<Arc<Group>> {
        self.groups.write().remove(&id)
    }

    /// Claims a group; nothing while somebody else has claimed it.
    pub(crate) fn claim(&self, id: GroupId) -> Option<Claim<'_>> {
        self.changing.lock().insert(id).then_some(Claim { registry: self, id })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.registry.changing.lock().remove(&self.id);
    }
}
