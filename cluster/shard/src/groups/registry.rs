//! The groups that run on this node.

use super::group::Group;
use crate::raft::GroupId;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The groups that run on this node, by id.
#[derive(Default)]
pub(crate) struct Registry(RwLock<BTreeMap<GroupId, Arc<Group>>>);

impl Registry {
    pub(crate) fn get(&self, id: GroupId) -> Option<Arc<Group>> {
        self.0.read().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Group>> {
        self.0.read().values().cloned().collect()
    }

    pub(crate) fn ids(&self) -> Vec<GroupId> {
        self.0.read().keys().copied().collect()
    }

    pub(crate) fn insert(&self, group: Arc<Group>) {
        self.0.write().insert(group.id(), group);
    }

    pub(crate) fn remove(&self, id: GroupId) -> Option<Arc<Group>> {
        self.0.write().remove(&id)
    }
}
