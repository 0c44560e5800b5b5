//! The groups that run on this node.

use super::group::Group;
use crate::raft::GroupId;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Notify;

/// The groups that run on this node, by id.
#[derive(Default)]
pub(crate) struct Registry {
    groups: RwLock<BTreeMap<GroupId, Arc<Group>>>,
    /// Those that somebody starts, stops or deletes just now.
    changing: Mutex<BTreeSet<GroupId>>,
    /// Those whose leader wants another replica in the place of the one here.
    to_renew: Mutex<BTreeSet<GroupId>>,
    /// Wakes whoever deletes replicas.
    pub(crate) renewals: Notify,
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

    /// Notes that the group's leader wants another replica in the place of the one here.
    pub(crate) fn want_anew(&self, id: GroupId) {
        if self.to_renew.lock().insert(id) {
            self.renewals.notify_one();
        }
    }

    /// Those whose leader wants another replica in the place of the one here.
    pub(crate) fn wanted_anew(&self) -> BTreeSet<GroupId> {
        self.to_renew.lock().clone()
    }

    /// That is done, or was of an earlier replica.
    pub(crate) fn no_more_wanted_anew(&self, id: GroupId) {
        self.to_renew.lock().remove(&id);
    }

    /// Claims a group; nothing while somebody else has claimed it.
    pub(crate) fn claim(&self, id: GroupId) -> Option<Claim<'_>> {
        let claimed = self.changing.lock().insert(id);
        // Made only where it is given: dropping one ends the claim, and takes the lock.
        claimed.then(|| Claim { registry: self, id })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.registry.changing.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_is_refused_leaves_the_other_one_held() {
        let (registry, id) = (Registry::default(), GroupId(3));
        let first = registry.claim(id);
        assert!(first.is_some());
        assert!(registry.claim(id).is_none());
        assert!(registry.claim(id).is_none(), "the refusal has ended the claim");
        assert!(registry.claim(GroupId(4)).is_some());
        drop(first);
        assert!(registry.claim(id).is_some());
    }
}
