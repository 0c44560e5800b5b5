//! The keyspaces: ordered maps that share one file and its transactions.

/// An ordered map from bytes to bytes. The list is fixed; a name, once released, keeps its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Keyspace {
    /// The format version, applied indexes, what a shard keeps of itself.
    Meta = 0,
    /// The log: batches of commands by their first index.
    Log = 1,
    /// Agents: what never changes.
    Agents = 2,
    /// Agents: what changes.
    AgentStates = 3,
    /// Tasks: what never changes.
    Tasks = 4,
    /// Tasks: what changes.
    TaskStates = 5,
    /// The steps of tasks.
    Steps = 6,
    /// Tasks that have not ended.
    HotTasks = 7,
    /// Index: tasks of an agent.
    TasksByAgent = 8,
    /// Index: ended tasks by state.
    TasksByState = 9,
    /// Index: ended tasks by their end, for retention.
    TasksByEnd = 10,
    /// Idempotency keys.
    Idempotency = 11,
    /// Index: idempotency keys by age.
    IdempotencyByTime = 12,
}

impl Keyspace {
    /// Every keyspace, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Meta,
        Self::Log,
        Self::Agents,
        Self::AgentStates,
        Self::Tasks,
        Self::TaskStates,
        Self::Steps,
        Self::HotTasks,
        Self::TasksByAgent,
        Self::TasksByState,
        Self::TasksByEnd,
        Self::Idempotency,
        Self::IdempotencyByTime,
    ];

    /// The name it has in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Log => "log",
            Self::Agents => "agents",
            Self::AgentStates => "agent_states",
            Self::Tasks => "tasks",
            Self::TaskStates => "task_states",
            Self::Steps => "steps",
            Self::HotTasks => "hot_tasks",
            Self::TasksByAgent => "tasks_by_agent",
            Self::TasksByState => "tasks_by_state",
            Self::TasksByEnd => "tasks_by_end",
            Self::Idempotency => "idempotency",
            Self::IdempotencyByTime => "idempotency_by_time",
        }
    }

    /// Its number, which engines with one map put before each key.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}
