//! The mechanisms: the subscriber, the exporter, the registry of metrics, the audit file.

mod audit_file;
mod audit_verify;
mod audit_writer;
mod continued;
mod lines;
mod logging;
mod measures;
mod metrics;
mod otlp;
mod rotation;

pub use audit_verify::{AuditVerified, AuditVerifyError, verify_audit};
pub(crate) use audit_writer::{AuditSender, AuditWriter};
pub(crate) use logging::set_tracer;
pub use logging::{LoggingError, init_logging};
pub(crate) use metrics::Metrics;
pub(crate) use otlp::Exporter;
pub use rotation::{LOG_BYTES, LOGS_KEPT, open_log, put_log_aside};
