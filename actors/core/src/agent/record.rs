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
}
