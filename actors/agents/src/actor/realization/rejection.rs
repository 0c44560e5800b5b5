//! What happens to a task that the inbound chain rejects: counted, audited where marked, ended with its reason.

use super::run_task::RunTask;
use crate::actor::essence::Verdict;
use octopussy_core::agent::Desired;
use octopussy_core::ports::{AuditEvent, AuditOutcome, EventKind, Metric};
use octopussy_core::task::{Applied, Command, DeadLetterReason, Outcome};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// A task that could not even be begun is looked at again only after this long, so that a ledger that refuses it for a
/// reason unknown here does not make the agent spin.
pub(crate) const REFUSED_PAUSE: Duration = Duration::from_millis(200);

impl RunTask {
    pub(crate) async fn reject(&self, verdict: Verdict) {
        if let Some(label) = verdict.rejection() {
            self.host.ports.observability.count(Metric::MessagesRejected, label, 1);
        }
        match verdict {
            Verdict::BadSignature(error) => {
                self.audit("message.verify", &error.to_string());
                self.dead_letter(DeadLetterReason::BadSignature, error.to_string()).await;
            }
            Verdict::Expired => {
                warn!(task.id = %self.task.id, agent.id = %self.shared.id, "the task expired before it was begun");
                self.dead_letter(DeadLetterReason::Expired, "its time to live passed before it was begun".to_owned())
                    .await;
            }
            Verdict::Quarantined { rule } => {
                let detail = format!("the injection scan found '{rule}'; an operator can replay or discard it");
                self.audit("message.scan", &detail);
                self.dead_letter(DeadLetterReason::Quarantined, detail).await;
            }
            Verdict::Unreadable(detail) => self.begin_and_end(Outcome::Failed(detail.into())).await,
            Verdict::BudgetExhausted { detail, .. } => self.pause_for_budget(&detail).await,
            // None is a rejection: a task that passed without content cannot be, see `read`, and one whose key is not known is held.
            Verdict::Process | Verdict::Control | Verdict::UnknownKey(_) => {
                self.begin_and_end(Outcome::Failed("not a task".into())).await;
            }
        }
    }

    /// The agent pauses until its owner raises the budget or resumes it; the task stays in, or goes back to, its mailbox.
    pub(crate) async fn pause_for_budget(&self, detail: &str) {
        warn!(agent.id = %self.shared.id, task.id = %self.task.id, detail, "the budget is spent: the agent pauses");
        let pause = Command::SetDesired { agent: self.shared.id, desired: Desired::Paused, now: self.host.clock.now() };
        if let Err(error) = self.host.commit(&self.shared, pause).await {
            warn!(agent.id = %self.shared.id, %error, "the pause was not taken");
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
        self.host.ports.messaging.publish(
            self.shared.id,
            Some(self.task.id),
            EventKind::BudgetExhausted(Arc::from(detail)),
        );
        self.shared.refresh();
    }

    async fn dead_letter(&self, reason: DeadLetterReason, detail: String) {
        self.begin_and_end(Outcome::DeadLetter(reason, detail.into())).await;
    }

    /// Ends a task that was not begun: both commands go in line together, only a begun task can be ended by its run.
    async fn begin_and_end(&self, outcome: Outcome) {
        let begin = self.host.commit(&self.shared, self.begin_command()).await;
        let ended = match begin {
            // One that has expired is ended by the ledger as it comes to begin it.
            Ok(Applied::Task(task)) if task.state.is_ended() => return,
            Ok(_) => self.host.commit(&self.shared, self.end_command(outcome, None)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            warn!(task.id = %self.task.id, %error, "a rejected task could not be ended");
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
    }

    fn audit(&self, action: &str, detail: &str) {
        self.host.ports.observability.audit(AuditEvent {
            action: action.to_owned(),
            actor: self.task.sender.to_string(),
            subject: self.task.id.to_string(),
            outcome: AuditOutcome::Denied,
            detail: detail.to_owned(),
            trace_id: Some(self.task.message.trace_id().to_string()),
        });
    }
}
