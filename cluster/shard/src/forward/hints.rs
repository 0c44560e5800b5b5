//! Who was last found to lead the groups that have no replica here.

use crate::raft::GroupId;
use octopussy_core::ids::NodeId;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Who was last found to lead a group. At most one entry for each of at most 1 025 groups.
#[derive(Default)]
pub(crate) struct Hints(Mutex<HashMap<GroupId, NodeId>>);

impl Hints {
    pub(crate) fn get(&self, group: GroupId) -> Option<NodeId> {
        self.0.lock().get(&group).copied()
    }

    pub(crate) fn set(&self, group: GroupId, leader: NodeId) {
        self.0.lock().insert(group, leader);
    }

    /// Forgets the leader unless another has been found meanwhile.
    pub(crate) fn drop(&self, group: GroupId, leader: NodeId) {
        let mut all = self.0.lock();
        if all.get(&group) == Some(&leader) {
            all.remove(&group);
        }
    }
}
