//! What Observability promises.

use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use serde::Deserialize;
use std::path::PathBuf;

/// The contract.
pub const CONTRACT: Contract = Contract {
    id: CapabilityId::Observability,
    provides: &[PortId::Observability],
    requires: &[PortId::Secrets, PortId::Configuration, PortId::Measures],
    protocols: &[
        "Nothing blocks or fails its caller who did not ask for that; what cannot be kept is counted and the loss is recorded.",
        "Audit records are appended in order, each bound to the one before by a hash that takes the node's key, and reach the disk within a second.",
        "A record that is waited for is on the disk when that is answered.",
        "A change of observability.log in the configuration takes effect without a restart.",
    ],
    envelope: Envelope::initial(),
};

/// The section `observability`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObservabilityConfig {
    /// The log.
    pub log: LogConfig,
    /// Traces to a collector.
    pub otlp: OtlpConfig,
    /// The audit log.
    pub audit: AuditConfig,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people, with colours on a terminal.
    #[default]
    Pretty,
    /// For people, one short line each.
    Compact,
    /// For machines, one JSON object a line.
    Json,
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTarget {
    /// The standard error stream.
    #[default]
    Stderr,
    /// A file that is appended to.
    File(PathBuf),
}

/// `observability.log`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or a filter such as `info,octopussy_agents=debug`. The environment variable OCTOPUSSY_LOG goes first.
    pub level: String,
    /// How it looks.
    pub format: LogFormat,
    /// Where it goes.
    pub target: LogTarget,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::default(), target: LogTarget::default() }
    }
}

/// `observability.otlp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpConfig {
    /// The collector's base URL, such as `http://127.0.0.1:4318`; absent: no traces leave this node.
    pub endpoint: Option<String>,
    /// The service name that traces carry.
    pub service_name: String,
    /// How many spans may wait for export (1 to 65 536); more are dropped.
    pub queue: usize,
    /// The longest one export may take, in seconds (1 to 60).
    pub timeout_seconds: u64,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self { endpoint: None, service_name: "octopussy".to_owned(), queue: 2048, timeout_seconds: 5 }
    }
}

/// `observability.audit`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// How many records may wait for the disk (16 to 1 048 576); what does not fit is counted in a gap record.
    pub queue: usize,
    /// From how many MiB on the file is put aside and another one begun (1 to 4096).
    pub rotate_mb: u64,
    /// How many files that were put aside are kept (1 to 10 000); the oldest go, and the chain begins later then.
    pub keep_files: usize,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { queue: 8192, rotate_mb: 64, keep_files: 16 }
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::requires! {
    /// What Observability takes.
    pub struct ObservabilityNeeds {
        pub secrets: dyn octopussy_core::ports::SecretsPort,
        pub configuration: dyn octopussy_core::ports::ConfigurationPort,
        pub measures: dyn octopussy_core::ports::MeasuresPort,
    }
}

#[cfg(feature = "realization")]
octopussy_lifecycle::provides! {
    /// What Observability provides.
    pub struct ObservabilityProvides { pub observability: dyn octopussy_core::ports::ObservabilityPort }
}
