//! What a watched topic remembers: its last events, by position.

use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::{Event, EventId, EventKind, Topic};
use std::collections::VecDeque;

/// What a watcher finds at its position.
#[derive(Debug, Clone)]
pub enum Read {
    /// An event; the watcher's next position is one further.
    Event(Event),
    /// The events here are forgotten; the oldest that is left is at this position.
    Lost(u64),
    /// Nothing has happened yet.
    Nothing,
}

/// The last events of a topic.
#[derive(Debug)]
pub struct TopicLog {
    events: VecDeque<Event>,
    /// The position of the first remembered event.
    first: u64,
    capacity: usize,
}

impl TopicLog {
    /// A log that remembers `capacity` events (at least one).
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { events: VecDeque::new(), first: 0, capacity: if capacity == 0 { 1 } else { capacity } }
    }

    /// Appends an event; the oldest is forgotten at the bound.
    pub fn push(&mut self, event: Event) {
        if self.events.len() == self.capacity {
            self.events.pop_front();
            self.first += 1;
        }
        self.events.push_back(event);
    }

    /// The position of the next event.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The position behind the event with exactly this id; `None` when it is not remembered, so that nobody can say what was
    /// missed.
    #[must_use]
    pub fn position_after(&self, id: EventId) -> Option<u64> {
        let behind = self.events.iter().rev().position(|event| event.id == id)?;
        Some(self.end() - behind as u64)
    }

    /// What is at a position.
    #[must_use]
    pub fn read(&self, position: u64) -> Read {
        match position.checked_sub(self.first) {
            None => Read::Lost(self.first),
            Some(index) => usize::try_from(index)
                .ok()
                .and_then(|index| self.events.get(index))
                .map_or(Read::Nothing, |event| Read::Event(event.clone())),
        }
    }

    /// The id of the event before a position, as far as it is remembered.
    #[must_use]
    pub fn id_before(&self, position: u64) -> EventId {
        let index = position.checked_sub(self.first).and_then(|index| usize::try_from(index).ok()?.checked_sub(1));
        index.and_then(|index| self.events.get(index)).map(|event| event.id).unwrap_or_default()
    }
}

/// The topics an event belongs to. Tokens and steps concern the watchers of their task alone; states of tasks everybody but
/// the watchers of agents in general; states of agents everybody.
#[must_use]
pub fn topics_of(agent: AgentId, task: Option<TaskId>, kind: &EventKind) -> [Option<Topic>; 4] {
    let of_task = task.map(Topic::Task);
    match kind {
        EventKind::Token { .. } | EventKind::Step(_) | EventKind::Gap => [of_task, None, None, None],
        EventKind::Task(_) | EventKind::Ended(_) => [of_task, Some(Topic::Agent(agent)), None, Some(Topic::All)],
        EventKind::Agent(_) | EventKind::Heartbeat(_) | EventKind::Passivated | EventKind::BudgetExhausted(_) => {
            [of_task, Some(Topic::Agent(agent)), Some(Topic::Agents), Some(Topic::All)]
        }
    }
}

/// Whether the watchers of agents in general are told of it.
#[must_use]
pub const fn concerns_agents(kind: &EventKind) -> bool {
    match kind {
        EventKind::Agent(_) | EventKind::Heartbeat(_) | EventKind::Passivated | EventKind::BudgetExhausted(_) => true,
        EventKind::Token { .. } | EventKind::Step(_) | EventKind::Gap | EventKind::Task(_) | EventKind::Ended(_) => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::agent::AgentState;
    use octopussy_core::ids::Epoch;
    use octopussy_core::time::Timestamp;
    use proptest::prelude::*;

    fn event(sequence: u64) -> Event {
        Event {
            id: EventId { epoch: Epoch(1), sequence },
            at: Timestamp::EPOCH,
            agent: AgentId::from_name("a"),
            task: None,
            kind: EventKind::Agent(AgentState::Idle),
        }
    }

    #[test]
    fn the_topic_of_agents_gets_what_concerns_agents() {
        let task = TaskId::for_agent(AgentId::from_name("a"), uuid::Uuid::nil());
        let kinds = [
            EventKind::Token { step: 0, text: "x".into() },
            EventKind::Task(octopussy_core::task::TaskState::Running),
            EventKind::Agent(AgentState::Idle),
            EventKind::Heartbeat(AgentState::Idle),
            EventKind::Passivated,
            EventKind::BudgetExhausted("spent".into()),
            EventKind::Gap,
        ];
        let mut told = Vec::new();
        for kind in kinds {
            let topics = topics_of(AgentId::from_name("a"), Some(task), &kind);
            told.push(topics.contains(&Some(Topic::Agents)));
            assert_eq!(told.last(), Some(&concerns_agents(&kind)));
        }
        assert_eq!(told, [false, false, true, true, true, true, false]);
    }

    proptest! {
        #[test]
        fn a_watcher_sees_every_event_or_is_told(capacity in 1usize..20, bursts in prop::collection::vec((0u64..30, 0u64..30), 1..20)) {
            let mut log = TopicLog::new(capacity);
            let (mut position, mut next, mut pushed) = (0, 0, 0);
            for (pushes, reads) in bursts {
                for _ in 0..pushes {
                    log.push(event(pushed));
                    pushed += 1;
                }
                for _ in 0..reads {
                    match log.read(position) {
                        Read::Event(event) => {
                            prop_assert_eq!(event.id.sequence, next);
                            (position, next) = (position + 1, next + 1);
                        }
                        Read::Lost(at) => {
                            prop_assert!(at > position);
                            (position, next) = (at, at);
                        }
                        Read::Nothing => prop_assert_eq!(next, pushed),
                    }
                }
            }
        }

        #[test]
        fn resuming_continues_behind_the_named_event_or_not_at_all(capacity in 1usize..20, pushed in 0u64..40, named in 0u64..50) {
            let mut log = TopicLog::new(capacity);
            (0..pushed).for_each(|sequence| log.push(event(sequence)));
            let remembered = named < pushed && named + capacity as u64 >= pushed;
            let position = log.position_after(event(named).id);
            prop_assert_eq!(position.is_some(), remembered);
            if let Some(position) = position {
                prop_assert_eq!(log.id_before(position).sequence, named);
            }
        }
    }
}
