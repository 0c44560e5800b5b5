//! From an agent's directory to an agent.

use crate::agent::{AgentRecord, AgentSpec};
use crate::contract::{Port, PortId};
use crate::problem::{Finding, Problem};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One file of an agent's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFile {
    /// Its path below the directory, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// An agent's directory as it travels: `agent.yaml`, `persona.md`, `goal.md`, `permissions.md`, optionally `memory.md`, and
/// the documents that `memory.md` names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBundle {
    /// The files.
    pub files: Vec<BundleFile>,
}

impl AgentBundle {
    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&BundleFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Creates agents from directories.
#[async_trait]
pub trait AgentFactoryPort: Send + Sync {
    /// Checks a directory; every finding at once.
    fn validate(&self, bundle: &AgentBundle) -> Result<AgentSpec, Vec<Finding>>;

    /// Creates the agent durably. `InvalidAgent` with all findings, `AgentExists` when the name is taken.
    async fn create(&self, bundle: AgentBundle) -> Result<Arc<AgentRecord>, Problem>;

    /// The JSON Schema of `agent.yaml`.
    fn schema(&self) -> serde_json::Value;
}

impl Port for dyn AgentFactoryPort {
    const ID: PortId = PortId::AgentFactory;
}
