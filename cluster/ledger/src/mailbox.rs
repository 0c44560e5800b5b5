//! An agent's mailbox: four lanes, each in the order of acceptance.

use octopussy_core::ids::TaskId;
use octopussy_core::message::Priority;
use octopussy_core::task::TaskRecord;
use std::collections::BTreeMap;

/// The waiting tasks of one agent. The lanes are ordered by sequence, so that a task handed back finds its old place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mailbox {
    lanes: [BTreeMap<u64, TaskId>; Priority::ALL.len()],
}

impl Mailbox {
    pub(crate) fn insert(&mut self, task: &TaskRecord) {
        if let Some(lane) = self.lanes.get_mut(task.priority.lane()) {
            lane.insert(task.sequence, task.id);
        }
    }

    pub(crate) fn remove(&mut self, task: &TaskRecord) {
        if let Some(lane) = self.lanes.get_mut(task.priority.lane()) {
            lane.remove(&task.sequence);
        }
    }

    /// The oldest task of the most urgent lane.
    pub(crate) fn first(&self) -> Option<TaskId> {
        self.lanes.iter().find_map(|lane| lane.first_key_value()).map(|(_, task)| *task)
    }

    pub(crate) fn len(&self) -> usize {
        self.lanes.iter().map(BTreeMap::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().all(BTreeMap::is_empty)
    }

    /// Every waiting task in the order in which they would be begun.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.lanes.iter().flat_map(BTreeMap::values).copied()
    }
}
