//! What an agent is: its specification, its states, its usage.

mod record;
mod spec;
mod state;
mod usage;

pub use record::{AgentContent, AgentRecord, AgentVersion, Desired, Document, VERSIONS_KEPT};
pub use spec::{
    AgentSpec, AgentType, Budget, Critique, Execution, Fallback, GraphRag, Intelligence, McpServer, OutputFormat,
    Pattern, Permissions, Rag, Reasoning, Sandbox, Schedule, Strategy,
};
pub use state::{AgentEvent, AgentState, IllegalTransition};
pub use usage::{Period, Spent, Usage, UsageWindow};
