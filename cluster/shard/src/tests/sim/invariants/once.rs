//! A request is accepted once, and a task ends once, with one result.

use super::Invariant;
use crate::tests::sim::event::Event;
use octopussy_core::ids::TaskId;
use octopussy_core::task::{TaskContent, TaskRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Once {
    accepted: BTreeMap<Arc<str>, TaskId>,
    ended: BTreeMap<TaskId, Arc<TaskRecord>>,
}

impl Once {
    fn accept(&mut self, key: &Arc<str>, task: TaskId) -> Result<(), String> {
        let first = *self.accepted.entry(Arc::clone(key)).or_insert(task);
        if first == task {
            Ok(())
        } else {
            Err(format!("a request was accepted twice: {key} as {first} and as {task}"))
        }
    }
}

impl Invariant for Once {
    fn see(&mut self, _: u64, event: &Event) -> Result<(), String> {
        match event {
            Event::Acknowledged { key, task } => self.accept(key, *task)?,
            Event::Ended { task } => {
                // What a client heard no answer to counts, too.
                let content: TaskContent = task.message.payload().parse().map_err(|error| format!("{error}"))?;
                self.accept(&Arc::from(content.input), task.id)?;
                let first = self.ended.entry(task.id).or_insert_with(|| Arc::clone(task));
                if *first != *task {
                    return Err(format!("a task ended twice: {first:?} and {task:?}"));
                }
            }
            Event::Stepped { task, step } if self.ended.contains_key(task) => {
                // Heard late is no matter; what was done after the end would be.
                let known = self.ended[task].steps.len();
                if usize::try_from(*step).is_ok_and(|step| step >= known) {
                    return Err(format!("a task went on after its end: {task} made step {step}"));
                }
            }
            Event::Stepped { .. }
            | Event::Gained { .. }
            | Event::Lost { .. }
            | Event::Speaks { .. }
            | Event::Asked { .. }
            | Event::Effect { .. }
            | Event::Crashed { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Trouble(_) => {}
        }
        Ok(())
    }
}
