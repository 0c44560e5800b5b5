//! The states and the health of all active agents of this node.

use crate::agent::{AgentEvent, AgentState, IllegalTransition};
use crate::contract::{Port, PortId};
use crate::ids::AgentId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether an agent's heartbeat is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentHealth {
    /// Heard within the bound.
    Healthy,
    /// Not heard for longer than the bound.
    Unhealthy,
}

/// What is known of an active agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Where it is in its life.
    pub state: AgentState,
    /// Since when.
    pub since: Timestamp,
    /// When its heartbeat was last heard.
    pub last_heartbeat: Timestamp,
    /// What follows from that.
    pub health: AgentHealth,
}

/// Follows the agents that are active on this node. Agents that are idle in the store are not in here.
pub trait AgentLifecyclePort: Send + Sync {
    /// A new active agent, in state CREATED.
    fn register(&self, agent: AgentId);

    /// Applies an event to the agent's state.
    ///
    /// # Errors
    /// [`IllegalTransition`]; the state is unchanged. An agent that is not registered is in state CREATED.
    fn transition(&self, agent: AgentId, event: AgentEvent) -> Result<AgentState, IllegalTransition>;

    /// The agent's status; `None` when it is not active here.
    fn status(&self, agent: AgentId) -> Option<AgentStatus>;

    /// The agent's runtime is alive.
    fn heartbeat(&self, agent: AgentId);

    /// The agent is no longer active here.
    fn deregister(&self, agent: AgentId);

    /// All active agents.
    fn list(&self) -> Vec<(AgentId, AgentStatus)>;
}

impl Port for dyn AgentLifecyclePort {
    const ID: PortId = PortId::AgentLifecycle;
}
