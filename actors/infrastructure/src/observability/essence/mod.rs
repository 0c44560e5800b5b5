//! Pure rules: how audit records are chained, and what each metric is called.

mod chain;
mod metric;

pub use chain::{AuditBody, CHAIN_PURPOSE, ChainBreak, ChainKey, ChainState, GENESIS};
pub use metric::{ALL_METRICS, MetricKind, MetricShape, known_labels, shape};
