//! Metrics and audit. Logs and spans go through the `tracing` facade, which needs no port.

use crate::contract::{Port, PortId};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// A named measurement: `octopussy_<name>_<unit>`; counters end in `_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Tasks accepted.
    TasksAccepted,
    /// Tasks ended; label `state`.
    TasksEnded,
    /// Steps journaled; label `kind`.
    Steps,
    /// Messages rejected by an agent's chain; label `reason`.
    MessagesRejected,
    /// Tokens spent; label `provider`.
    Tokens,
    /// Model calls; label `outcome`.
    ModelCalls,
    /// Seconds a model call took (histogram); label `provider`.
    ModelCallSeconds,
    /// Seconds from acceptance to end (histogram).
    TaskSeconds,
    /// Requests answered; label `status`.
    HttpRequests,
    /// Seconds a request took (histogram).
    HttpRequestSeconds,
    /// Agents active on this node (gauge).
    ActiveAgents,
    /// Dead letters (gauge).
    DeadLetters,
    /// Events lost by watchers that fell behind.
    WatcherGaps,
    /// Audit records written.
    AuditRecords,
}

/// How an audited action came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was allowed and done.
    Allowed,
    /// It was denied.
    Denied,
    /// It was allowed and failed.
    Failed,
    /// It was allowed, and is about to be done: another record says how it came out.
    Begun,
}

/// A security event, for the append-only audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What was done, such as `task.submit`.
    pub action: String,
    /// By whom: a user name, an agent id.
    pub actor: String,
    /// On what: an id or a name. Never a secret's value, never a payload.
    pub subject: String,
    /// How it came out.
    pub outcome: AuditOutcome,
    /// Why, in words.
    pub detail: String,
    /// The trace it belongs to.
    pub trace_id: Option<String>,
}

/// A record is not in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuditError(pub String);

/// Takes measurements and audit records. Nothing in here blocks or fails its caller, but for what asks for that.
pub trait ObservabilityPort: Send + Sync {
    /// Adds to a counter.
    fn count(&self, metric: Metric, label: &'static str, by: u64);

    /// Sets a gauge.
    fn gauge(&self, metric: Metric, value: i64);

    /// Records one observation of a histogram.
    fn observe(&self, metric: Metric, label: &'static str, value: f64);

    /// Writes an audit record.
    fn audit(&self, event: AuditEvent);

    /// Writes an audit record, and answers once it is on the disk: for what must not be done without one. There may be no answer while the disk
    /// is stuck, so that whoever waits has a limit.
    fn audit_durably(&self, event: AuditEvent) -> BoxFuture<'static, Result<(), AuditError>>;

    /// All metrics in the OpenMetrics text format.
    fn render(&self) -> String;
}

/// Stands in where observability could not start: everything is dropped. Whoever installs it has to say so loudly.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObservability;

impl ObservabilityPort for NoObservability {
    fn count(&self, _: Metric, _: &'static str, _: u64) {}
    fn gauge(&self, _: Metric, _: i64) {}
    fn observe(&self, _: Metric, _: &'static str, _: f64) {}
    fn audit(&self, _: AuditEvent) {}
    fn audit_durably(&self, _: AuditEvent) -> BoxFuture<'static, Result<(), AuditError>> {
        Box::pin(std::future::ready(Err(AuditError("observability could not start".to_owned()))))
    }
    fn render(&self) -> String {
        "# EOF\n".to_owned()
    }
}

impl Port for dyn ObservabilityPort {
    const ID: PortId = PortId::Observability;
}
