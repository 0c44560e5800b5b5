//! From an agent's directory to an agent.

use crate::agent::AgentRecord;
use crate::contract::{Port, PortId};
use crate::ids::AgentId;
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

/// One difference between two versions of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentChange {
    /// The file of the agent's directory.
    pub file: String,
    /// The key in it, such as `intelligence.model`; absent where the file as a whole is meant.
    pub key: Option<String>,
    /// What was there; absent when nothing was. Of a document its size and digest.
    pub before: Option<String>,
    /// What is there; absent when nothing is.
    pub after: Option<String>,
}

/// Creates agents from directories, and changes them.
#[async_trait]
pub trait AgentFactoryPort: Send + Sync {
    /// Checks a directory: what is wrong with it, at once and bounded; nothing when an agent can be made of it.
    async fn validate(&self, bundle: AgentBundle) -> Result<Vec<Finding>, Problem>;

    /// Creates the agent durably. `InvalidAgent` with all findings, `AgentExists` when the name is taken.
    ///
    /// `by`: who creates it, for its history.
    async fn create(&self, bundle: AgentBundle, by: &str) -> Result<Arc<AgentRecord>, Problem>;

    /// Gives the agent another version durably; one that says the same as the present one changes nothing. `InvalidAgent`
    /// with all findings, `UnknownAgent`, `AgentStopped`, `AgentChanged` when somebody else was first, `Unprocessable` when
    /// the directory is of an agent with another name.
    async fn update(&self, id: AgentId, bundle: AgentBundle, by: &str) -> Result<Arc<AgentRecord>, Problem>;

    /// What leads from one remembered version to another. `UnknownAgent`; `NotFound` when a version is not remembered.
    async fn diff(&self, id: AgentId, from: u32, to: u32) -> Result<Vec<AgentChange>, Problem>;

    /// What a directory would change in the agent as it is now.
    async fn diff_with(&self, id: AgentId, bundle: AgentBundle) -> Result<Vec<AgentChange>, Problem>;

    /// The JSON Schema of `agent.yaml`.
    fn schema(&self) -> serde_json::Value;
}

impl Port for dyn AgentFactoryPort {
    const ID: PortId = PortId::AgentFactory;
}
