//! An agent's mailbox: four lanes, each in the order of acceptance.

use crate::unended::Place;
use octopussy_core::ids::TaskId;
use octopussy_core::message::Priority;
use std::collections::BTreeMap;

/// The waiting tasks of one agent. The lanes are ordered by sequence, so that a task handed back finds its old place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mailbox {
    lanes: [BTreeMap<u64, TaskId>; Priority::ALL.len()],
    text: u64,
}

impl Mailbox {
    pub(crate) fn insert(&mut self, task: TaskId, place: &Place) {
        if let Some(lane) = self.lanes.get_mut(place.priority.lane()) {
            lane.insert(place.sequence, task);
            self.text += place.text;
        }
    }

    pub(crate) fn remove(&mut self, place: &Place) {
        if let Some(lane) = self.lanes.get_mut(place.priority.lane())
            && lane.remove(&place.sequence).is_some()
        {
            self.text = self.text.saturating_sub(place.text);
        }
    }

    /// How many bytes of text the waiting tasks have.
    pub(crate) const fn text(&self) -> u64 {
        self.text
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
