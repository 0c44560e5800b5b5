//! Turns what the ledger applies into news and numbers. Called on the applying thread: it asks the ledger nothing and
//! waits for nobody.

use super::Hub;
use octopussy_core::ports::{EventKind, LedgerObserver, Metric, ObservabilityPort};
use octopussy_core::task::{LedgerEvent, TaskState};
use std::sync::Arc;

/// The ledger's observer.
pub(crate) struct Observer {
    pub(crate) hub: Arc<Hub>,
    pub(crate) observability: Arc<dyn ObservabilityPort>,
}

impl LedgerObserver for Observer {
    fn on_event(&self, event: &LedgerEvent) {
        match event {
            LedgerEvent::LeaderGained { shard, epoch } => self.hub.set_epoch(*shard, *epoch),
            LedgerEvent::TaskReady { agent, task } => {
                self.hub.publish(*agent, Some(*task), EventKind::Task(TaskState::Accepted));
            }
            LedgerEvent::TaskBegun { task } => {
                self.hub.publish(task.agent, Some(task.id), EventKind::Task(TaskState::Running));
            }
            LedgerEvent::StepDone { task, step } => {
                self.observability.count(Metric::Steps, step.kind.name(), 1);
                self.hub.publish_step(*task, step);
            }
            LedgerEvent::TaskEnded { task } => {
                self.observability.count(Metric::TasksEnded, task.state.name(), 1);
                let took = task.updated_at.since(task.accepted_at);
                self.observability.observe(Metric::TaskSeconds, "", took.as_secs_f64());
                if !self.hub.is_quiet_for_tasks() {
                    self.hub.publish(task.agent, Some(task.id), EventKind::Ended(task.clone()));
                }
            }
            LedgerEvent::LeaderLost { shard } => self.hub.end_shard(*shard),
            LedgerEvent::CancelRequested { .. } | LedgerEvent::AgentChanged { .. } => {}
        }
    }
}
