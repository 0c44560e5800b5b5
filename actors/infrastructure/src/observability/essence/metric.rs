//! What each metric is called and how it is labelled.

use octopussy_core::ports::Metric;
use octopussy_core::task::{StepKind, TaskState};

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution of seconds.
    Histogram,
}

/// How a metric appears in the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricShape {
    /// Its name behind `octopussy_`, without the `_total` that counters get.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// What kind.
    pub kind: MetricKind,
    /// The name of its label, when it has one.
    pub label: Option<&'static str>,
}

/// How a metric appears.
#[must_use]
pub const fn shape(metric: Metric) -> MetricShape {
    use MetricKind::{Counter, Gauge, Histogram};
    let (name, help, kind, label) = match metric {
        Metric::TasksAccepted => ("tasks_accepted", "Tasks accepted", Counter, None),
        Metric::TasksEnded => ("tasks_ended", "Tasks ended", Counter, Some("state")),
        Metric::Steps => ("steps", "Steps journaled", Counter, Some("kind")),
        Metric::MessagesRejected => {
            ("messages_rejected", "Messages rejected by an inbound chain", Counter, Some("reason"))
        }
        Metric::Tokens => ("tokens", "Model tokens spent", Counter, Some("provider")),
        Metric::ModelCalls => ("model_calls", "Model calls", Counter, Some("outcome")),
        Metric::ModelCallSeconds => ("model_call_seconds", "How long model calls took", Histogram, Some("provider")),
        Metric::TaskSeconds => ("task_seconds", "From a task's acceptance to its end", Histogram, None),
        Metric::HttpRequests => ("http_requests", "Requests answered", Counter, Some("status")),
        Metric::HttpRequestSeconds => ("http_request_seconds", "How long requests took", Histogram, None),
        Metric::ActiveAgents => ("active_agents", "Agents active on this node", Gauge, None),
        Metric::DeadLetters => ("dead_letters", "Tasks in the dead-letter queue", Gauge, None),
        Metric::WatcherGaps => ("watcher_gaps", "Times a watcher lost events because it fell behind", Counter, None),
        Metric::AuditRecords => ("audit_records", "Audit records written", Counter, None),
    };
    MetricShape { name, help, kind, label }
}

/// Labels that are known beforehand, so that counting them needs no lock.
#[must_use]
pub const fn known_labels(metric: Metric) -> &'static [&'static str] {
    const ENDS: &[&str] = &[
        TaskState::Succeeded.name(),
        TaskState::Failed.name(),
        TaskState::Cancelled.name(),
        TaskState::DeadLettered.name(),
    ];
    const STEPS: &[&str] = &[
        StepKind::Retrieve.name(),
        StepKind::Model.name(),
        StepKind::Tool.name(),
        StepKind::Message.name(),
        StepKind::Timer.name(),
    ];
    match metric {
        Metric::TasksEnded => ENDS,
        Metric::Steps => STEPS,
        Metric::HttpRequests => {
            &["200", "201", "202", "204", "400", "401", "403", "404", "409", "422", "429", "500", "503"]
        }
        Metric::ModelCalls => &["ok", "error", "timeout", "cancelled"],
        Metric::TasksAccepted
        | Metric::TaskSeconds
        | Metric::HttpRequestSeconds
        | Metric::ActiveAgents
        | Metric::DeadLetters
        | Metric::WatcherGaps
        | Metric::AuditRecords => &[""],
        Metric::MessagesRejected | Metric::Tokens | Metric::ModelCallSeconds => &[],
    }
}

/// Every metric; its place is its number.
pub const ALL_METRICS: [Metric; 14] = [
    Metric::TasksAccepted,
    Metric::TasksEnded,
    Metric::Steps,
    Metric::MessagesRejected,
    Metric::Tokens,
    Metric::ModelCalls,
    Metric::ModelCallSeconds,
    Metric::TaskSeconds,
    Metric::HttpRequests,
    Metric::HttpRequestSeconds,
    Metric::ActiveAgents,
    Metric::DeadLetters,
    Metric::WatcherGaps,
    Metric::AuditRecords,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_and_in_order() {
        for (place, metric) in ALL_METRICS.into_iter().enumerate() {
            assert_eq!(metric as usize, place);
        }
    }
}
