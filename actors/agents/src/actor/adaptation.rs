//! The handle that offers the running agents to others.

use super::realization::Host;
use async_trait::async_trait;
use octopussy_core::agent::AgentState;
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::message::Message;
use octopussy_core::ports::{ActorPort, AgentHost, ControlCommand};
use octopussy_core::problem::Problem;
use std::sync::Arc;

/// A cheap handle of the agents' host.
#[derive(Clone)]
pub struct ActorHandle(Arc<Host>);

impl ActorHandle {
    pub(super) const fn new(host: Arc<Host>) -> Self {
        Self(host)
    }
}

#[async_trait]
impl ActorPort for ActorHandle {
    async fn enqueue(&self, message: Message) -> Result<(), Problem> {
        self.0.enqueue(message)
    }

    async fn pause(&self, agent: AgentId) -> Result<(), Problem> {
        self.0.command(agent, ControlCommand::Pause).await
    }

    async fn resume(&self, agent: AgentId) -> Result<(), Problem> {
        self.0.command(agent, ControlCommand::Resume).await
    }

    async fn stop(&self, agent: AgentId) -> Result<(), Problem> {
        self.0.command(agent, ControlCommand::Stop).await
    }

    async fn cancel(&self, agent: AgentId, task: TaskId) -> Result<(), Problem> {
        self.0.cancel(agent, task).await
    }

    fn state(&self, agent: AgentId) -> Option<AgentState> {
        self.0.state(agent)
    }

    fn active(&self) -> usize {
        self.0.count()
    }
}

#[async_trait]
impl AgentHost for ActorHandle {
    async fn control(&self, message: Message) -> Result<(), Problem> {
        self.0.control_message(&message).await
    }
}
