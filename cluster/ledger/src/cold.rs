//! What the machine asks the store for.

use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, PartyId, TaskId};
use octopussy_core::task::TaskRecord;
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The store could not be read. The command was not applied and nothing changed; it may be applied again.
#[derive(Debug, thiserror::Error)]
#[error("the state could not be read: {0}")]
pub struct ColdError(pub Arc<str>);

/// A sender's idempotency key for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey {
    /// Whose task it made.
    pub agent: AgentId,
    /// Who used it.
    pub sender: PartyId,
    /// The key as the sender wrote it.
    pub key: Arc<str>,
}

/// What a used idempotency key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyEntry {
    /// A fingerprint of the request.
    pub fingerprint: u64,
    /// The task that the request became.
    pub task: TaskId,
    /// When.
    pub at: Timestamp,
}

/// A row of the index of ended tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndedTask {
    /// When it ended.
    pub at: Timestamp,
    /// Which.
    pub task: TaskId,
}

/// Reads of one shard's state as all commands before the present one have left it, whether or not they are stored yet: the
/// answers must not depend on when something was written to a file.
pub trait Cold {
    /// A task that has ended. May also answer with one that has not; the machine knows those itself.
    ///
    /// # Errors
    /// [`ColdError`].
    fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ColdError>;

    /// An agent.
    ///
    /// # Errors
    /// [`ColdError`].
    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ColdError>;

    /// What a key stands for.
    ///
    /// # Errors
    /// [`ColdError`].
    fn idempotency(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyEntry>, ColdError>;

    /// The `limit` oldest ended tasks that ended before `before`, oldest first; dead letters are not among them.
    ///
    /// # Errors
    /// [`ColdError`].
    fn ended_before(&self, before: Timestamp, limit: usize) -> Result<Vec<EndedTask>, ColdError>;

    /// The `limit` dead letters that were submitted first, by their ids.
    ///
    /// # Errors
    /// [`ColdError`].
    fn dead_letters(&self, limit: usize) -> Result<Vec<TaskId>, ColdError>;

    /// The `limit` oldest keys used before `before`, oldest first.
    ///
    /// # Errors
    /// [`ColdError`].
    fn keys_before(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(IdempotencyKey, IdempotencyEntry)>, ColdError>;
}
