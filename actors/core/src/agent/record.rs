//! An agent as the ledger keeps it.

use super::{AgentSpec, UsageWindow};
use crate::ids::{AgentId, BlobId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What its owner wants of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Desired {
    /// Take work.
    #[default]
    Active,
    /// Keep work, take none.
    Paused,
    /// Take no work ever again; what waits is dead-lettered.
    Stopped,
}

/// A document that belongs to an agent or to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The file name that citations show.
    pub name: String,
    /// Its content in the blob store, as UTF-8 text.
    pub blob: BlobId,
    /// Its size.
    pub bytes: u64,
}

/// How many versions of an agent are remembered: enough to see what a week of changes did, few enough that the record stays
/// small. The oldest goes when another comes.
pub const VERSIONS_KEPT: usize = 10;

/// One version of an agent's blueprint, as its history has it. What it says lies in the blob store as [`AgentContent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentVersion {
    /// Its number, from 1, without gaps.
    pub number: u32,
    /// When it came.
    pub at: Timestamp,
    /// Who brought it, by the name of their credentials.
    pub by: Arc<str>,
    /// The digest of its [`AgentContent`], which is also where that lies in the blob store.
    pub content: BlobId,
    /// Its documents.
    pub documents: Arc<[Document]>,
}

/// What a version of an agent says, as it lies in the blob store in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentContent {
    /// The number of this schema.
    pub schema: u32,
    /// The blueprint.
    pub spec: AgentSpec,
    /// Its documents.
    pub documents: Vec<Document>,
}

impl AgentContent {
    /// The number of the schema that this build writes.
    pub const SCHEMA: u32 = 1;
}

/// An agent as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Its id.
    pub id: AgentId,
    /// Its blueprint.
    pub spec: Arc<AgentSpec>,
    /// Its documents.
    pub documents: Arc<[Document]>,
    /// When it was created.
    pub created_at: Timestamp,
    /// What its owner wants.
    pub desired: Desired,
    /// What it has spent.
    pub usage: UsageWindow,
    /// What a stateful agent remembers from task to task, as it wrote it.
    pub memory: Option<Arc<str>>,
    /// How many tasks it has ended, of any outcome.
    pub tasks_ended: u64,
    /// Its history, oldest first; the last one is the present one. At most [`VERSIONS_KEPT`].
    pub versions: Arc<[AgentVersion]>,
}

impl AgentRecord {
    /// The number of the present version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.versions.last().map_or(1, |version| version.number)
    }

    /// A version that is remembered.
    #[must_use]
    pub fn version_at(&self, number: u32) -> Option<&AgentVersion> {
        self.versions.iter().find(|version| version.number == number)
    }
}
