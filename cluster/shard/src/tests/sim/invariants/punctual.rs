//! No task expires before its time to live is over, as nobody's clock shows it.

use super::Invariant;
use crate::tests::sim::event::Event;
use octopussy_core::task::{DeadLetterReason, TaskContent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// By how many milliseconds it may be early: clocks that are right differ, and are measured through a slow network.
const TOLERANCE: u64 = 3_000;

#[derive(Default)]
pub(super) struct Punctual {
    /// Until when the task of a key lives at least.
    until: BTreeMap<Arc<str>, u64>,
}

impl Invariant for Punctual {
    fn see(&mut self, now: u64, event: &Event) -> Result<(), String> {
        match event {
            Event::Asked { key, ttl } => {
                self.until.entry(Arc::clone(key)).or_insert(now + ttl);
            }
            Event::Ended { task } if task.dead_letter == Some(DeadLetterReason::Expired) => {
                let content: TaskContent = task.message.payload().parse().map_err(|error| format!("{error}"))?;
                let until = self.until.get(content.input.as_str()).copied().unwrap_or_default();
                if now + TOLERANCE < until {
                    return Err(format!("a task expired before its time: {} at {now}, not {until}", task.id));
                }
            }
            Event::Ended { .. }
            | Event::Stepped { .. }
            | Event::Gained { .. }
            | Event::Lost { .. }
            | Event::Speaks { .. }
            | Event::Effect { .. }
            | Event::Acknowledged { .. }
            | Event::Crashed { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Trouble(_) => {}
        }
        Ok(())
    }
}
