//! A step that is in the journal is never done again.

use super::Invariant;
use crate::tests::sim::event::Event;
use octopussy_core::ids::TaskId;
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Repeated {
    finished: BTreeSet<(TaskId, u32)>,
}

impl Invariant for Repeated {
    fn see(&mut self, _: u64, event: &Event) -> Result<(), String> {
        match event {
            Event::Stepped { task, step } => {
                self.finished.insert((*task, *step));
            }
            Event::Effect { node, task, step, .. } if self.finished.contains(&(*task, *step)) => {
                return Err(format!("a finished step is repeated: {node} does step {step} of {task} again"));
            }
            Event::Effect { .. }
            | Event::Gained { .. }
            | Event::Lost { .. }
            | Event::Speaks { .. }
            | Event::Asked { .. }
            | Event::Acknowledged { .. }
            | Event::Ended { .. }
            | Event::Crashed { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Trouble(_) => {}
        }
        Ok(())
    }
}
