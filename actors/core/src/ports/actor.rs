//! Running agents.

use crate::agent::AgentState;
use crate::contract::{Port, PortId};
use crate::ids::{AgentId, TaskId};
use crate::message::Message;
use crate::problem::Problem;
use async_trait::async_trait;

/// Runs the agents of the shards that this node leads.
#[async_trait]
pub trait ActorPort: Send + Sync {
    /// Puts a signed message into an agent's inbox, activating the agent when it is not active. CONTROL always gets
    /// through; anything else is refused with `MailboxFull` at the bound.
    async fn enqueue(&self, message: Message) -> Result<(), Problem>;

    /// Takes no more work after the step boundary; what waits stays.
    async fn pause(&self, agent: AgentId) -> Result<(), Problem>;

    /// Takes work again.
    async fn resume(&self, agent: AgentId) -> Result<(), Problem>;

    /// Ends the agent: calls in flight are cancelled, what waits is dead-lettered.
    async fn stop(&self, agent: AgentId) -> Result<(), Problem>;

    /// Ends one running task of the agent.
    async fn cancel(&self, agent: AgentId, task: TaskId) -> Result<(), Problem>;

    /// The state of an active agent; `None` when it is not active here (it is idle in the store).
    fn state(&self, agent: AgentId) -> Option<AgentState>;

    /// How many agents are active on this node.
    fn active(&self) -> usize;
}

impl Port for dyn ActorPort {
    const ID: PortId = PortId::Actor;
}
