//! The inbox for live messages: four bounded lanes and a reserve for CONTROL.

use octopussy_core::message::{Message, MessageType, Priority};
use std::collections::VecDeque;

/// How many messages one lane holds. Live messages are handed on within milliseconds; a longer queue means that the agent
/// does not keep up, and its sender had better know.
pub const LANE_CAPACITY: usize = 256;

/// The lane is at its bound; the message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent's {lane} lane is full ({LANE_CAPACITY} messages)")]
pub struct InboxFull {
    /// Which lane.
    pub lane: &'static str,
}

/// Four lanes, strictly by priority and first-in-first-out within one. CONTROL has a lane of its own before them, so that
/// no amount of other messages keeps a stop from arriving.
#[derive(Debug, Default)]
pub struct Inbox {
    control: VecDeque<Message>,
    lanes: [VecDeque<Message>; 4],
}

impl Inbox {
    /// Takes a message.
    ///
    /// # Errors
    /// [`InboxFull`]; nothing was taken. The CONTROL reserve is bounded, too, but by dropping the oldest: the newest command
    /// is the one that counts.
    pub fn push(&mut self, message: Message) -> Result<(), InboxFull> {
        if message.message_type() == MessageType::Control {
            if self.control.len() >= LANE_CAPACITY {
                self.control.pop_front();
            }
            self.control.push_back(message);
            return Ok(());
        }
        let lane = &mut self.lanes[message.priority().lane()];
        if lane.len() >= LANE_CAPACITY {
            return Err(InboxFull { lane: lane_name(message.priority()) });
        }
        lane.push_back(message);
        Ok(())
    }

    /// The next CONTROL message.
    pub fn pop_control(&mut self) -> Option<Message> {
        self.control.pop_front()
    }

    /// The next message: CONTROL first, then the most urgent lane's oldest.
    pub fn pop(&mut self) -> Option<Message> {
        self.control.pop_front().or_else(|| self.lanes.iter_mut().find_map(VecDeque::pop_front))
    }

    /// How many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.control.len() + self.lanes.iter().map(VecDeque::len).sum::<usize>()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const fn lane_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "CRITICAL",
        Priority::High => "HIGH",
        Priority::Normal => "NORMAL",
        Priority::Low => "LOW",
    }
}
