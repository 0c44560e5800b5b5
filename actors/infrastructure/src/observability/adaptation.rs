//! Observability as a port.

use super::realization::{AuditSender, Metrics};
use futures::future::BoxFuture;
use octopussy_core::ports::{AuditError, AuditEvent, MeasuresPort, Metric, ObservabilityPort};
use octopussy_core::time::Clock;
use std::sync::Arc;

/// The handle on metrics and audit. Cloning is cheap.
#[derive(Clone)]
pub struct ObservabilityHandle {
    metrics: Arc<Metrics>,
    audit: AuditSender,
    clock: Arc<dyn Clock>,
    rendered: Arc<parking_lot::Mutex<u64>>,
}

impl ObservabilityHandle {
    pub(super) fn new(audit: AuditSender, below: Arc<dyn MeasuresPort>, clock: Arc<dyn Clock>) -> Self {
        Self { metrics: Arc::new(Metrics::new(below)), audit, clock, rendered: Arc::default() }
    }
}

impl ObservabilityPort for ObservabilityHandle {
    fn count(&self, metric: Metric, label: &'static str, by: u64) {
        self.metrics.count(metric, label, by);
    }

    fn gauge(&self, metric: Metric, value: i64) {
        self.metrics.gauge(metric, value);
    }

    fn observe(&self, metric: Metric, label: &'static str, value: f64) {
        self.metrics.observe(metric, label, value);
    }

    fn audit(&self, event: AuditEvent) {
        self.audit.send(self.clock.now(), event);
    }

    fn audit_durably(&self, event: AuditEvent) -> BoxFuture<'static, Result<(), AuditError>> {
        let written = self.audit.send_durably(self.clock.now(), event);
        Box::pin(async move { written?.await.unwrap_or_else(|_| Err(AuditError("the node is stopping".to_owned()))) })
    }

    fn render(&self) -> String {
        // The writer counts what it has written; the metric catches up when somebody looks.
        let mut counted = self.rendered.lock();
        let written = self.audit.written();
        self.metrics.count(Metric::AuditRecords, "", written.saturating_sub(*counted));
        *counted = written;
        self.metrics.render()
    }
}
