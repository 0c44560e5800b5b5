//! What is written into the audit log of what clients have done, and before what must not be done without a record of it.

use super::adaptation::Orchestrator;
use octopussy_core::ports::{AuditEvent, AuditOutcome, Principal};
use octopussy_core::problem::{Code, Problem};
use std::time::Duration;

/// How long a record may take to reach the disk.
const AUDIT_LIMIT: Duration = Duration::from_secs(5);

impl Orchestrator {
    /// Writes down what was done, and how it came out.
    pub(super) fn audit<T>(&self, principal: &Principal, action: &str, subject: String, result: &Result<T, Problem>) {
        let (outcome, detail) = match result {
            Ok(_) => (AuditOutcome::Allowed, String::new()),
            Err(problem) => (AuditOutcome::Failed, problem.to_string()),
        };
        self.ports().observability.audit(AuditEvent {
            action: action.to_owned(),
            actor: principal.actor(),
            subject,
            outcome,
            detail,
            trace_id: None,
        });
    }

    /// Writes down what is about to be done, for what must not be done without a record of it.
    pub(super) async fn announce(&self, principal: &Principal, action: &str, subject: &str) -> Result<(), Problem> {
        let event = AuditEvent {
            action: action.to_owned(),
            actor: principal.actor(),
            subject: subject.to_owned(),
            outcome: AuditOutcome::Begun,
            detail: String::new(),
            trace_id: None,
        };
        let written = tokio::time::timeout(AUDIT_LIMIT, self.ports().observability.audit_durably(event)).await;
        let failed = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the disk does not answer".to_owned(),
        };
        Err(Problem::new(Code::AuditUnavailable, format!("nothing was done, since it could not be recorded: {failed}"))
            .hint("make room on this node's disk, or ask another node")
            .retry_after(Duration::from_secs(5)))
    }
}
