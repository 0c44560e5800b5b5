//! The configuration as it is now.

use crate::contract::{Port, PortId};
use crate::problem::Finding;
use async_trait::async_trait;
use serde_json::Value;

/// The configuration could not be read anew; what was in force stays in force.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the configuration is not valid: {}", .findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct ConfigurationError {
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

/// A new configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The top-level sections that differ from before.
    pub sections: Vec<String>,
}

/// Reads the configuration.
#[async_trait]
pub trait ConfigurationPort: Send + Sync {
    /// The value at a dotted key such as `gateway.rest.port`, secret references resolved.
    async fn get(&self, key: &str) -> Option<Value>;

    /// A top-level section, secret references unresolved; `Value::Null` when it is absent.
    fn section(&self, name: &str) -> Value;

    /// Reads the files anew.
    ///
    /// # Errors
    /// [`ConfigurationError`]; the configuration in force stays.
    async fn reload(&self) -> Result<Reloaded, ConfigurationError>;

    /// Is told of every reload that changed something.
    fn subscribe(&self) -> futures::stream::BoxStream<'static, Reloaded>;
}

impl Port for dyn ConfigurationPort {
    const ID: PortId = PortId::Configuration;
}
