//! Logs, traces, metrics and the audit log; nothing in here makes its caller wait.

#[cfg(feature = "realization")]
mod adaptation;
#[cfg(feature = "realization")]
mod capability;
mod contract;
pub mod essence;
#[cfg(feature = "realization")]
mod realization;

#[cfg(feature = "realization")]
pub use adaptation::ObservabilityHandle;
#[cfg(feature = "realization")]
pub use capability::{ObservabilityCapability, ObservabilityRunning};
pub use contract::{AuditConfig, CONTRACT, LogConfig, LogFormat, LogTarget, ObservabilityConfig, OtlpConfig};
#[cfg(feature = "realization")]
pub use contract::{ObservabilityNeeds, ObservabilityProvides};
#[cfg(feature = "realization")]
pub use realization::{
    AuditVerified, AuditVerifyError, LOG_BYTES, LOGS_KEPT, LoggingError, init_logging, open_log, put_log_aside,
    verify_audit,
};
