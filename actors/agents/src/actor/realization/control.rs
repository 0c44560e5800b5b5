//! Commands to an agent: durable first, then at once.

use super::host::Host;
use super::run_control::Interrupt;
use octopussy_core::agent::{AgentState, Desired};
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::ControlCommand;
use octopussy_core::problem::Problem;
use octopussy_core::task::Command;
use std::time::Duration;

/// How long a command waits for the agent to be seen in the state it leads to. The command is durable before that; the wait
/// only makes the answer show it.
const SETTLE: Duration = Duration::from_secs(1);

impl Host {
    /// Carries out a command.
    pub(crate) async fn command(&self, agent: AgentId, command: ControlCommand) -> Result<(), Problem> {
        match command {
            ControlCommand::Pause => self.set_desired(agent, Desired::Paused).await,
            ControlCommand::Resume => self.set_desired(agent, Desired::Active).await,
            ControlCommand::Stop => self.set_desired(agent, Desired::Stopped).await,
            ControlCommand::Cancel { task } => self.cancel(agent, task).await,
        }
    }

    /// Commits what is wanted of the agent, then lets the active one follow at once.
    async fn set_desired(&self, agent: AgentId, desired: Desired) -> Result<(), Problem> {
        let shard = self.ports.ledger.shards().shard_of(agent);
        let command = Command::SetDesired { agent, desired, now: self.clock.now() };
        self.ports.ledger.propose(shard, command).await?;
        let Some(shared) = self.get(agent) else {
            self.refresh(agent);
            return Ok(());
        };
        // Not left to the actor alone: the calls in flight end now.
        match desired {
            Desired::Active => {}
            Desired::Paused => shared.interrupt_all(Interrupt::HandBack),
            Desired::Stopped => shared.interrupt_all(Interrupt::Stop),
        }
        let mut state = shared.state.subscribe();
        shared.refresh();
        let reached = state.wait_for(|state| match desired {
            Desired::Active => matches!(state, AgentState::Idle | AgentState::Processing),
            Desired::Paused => *state == AgentState::Paused,
            Desired::Stopped => *state == AgentState::Stopped,
        });
        let _ = tokio::time::timeout(SETTLE, reached).await;
        Ok(())
    }

    /// Asks for one task to end: a waiting one is ended by the ledger, a running one by its run.
    pub(crate) async fn cancel(&self, agent: AgentId, task: TaskId) -> Result<(), Problem> {
        let shard = self.ports.ledger.shards().shard_of(agent);
        let command = Command::Cancel { task, reason: "cancelled by request".into(), now: self.clock.now() };
        self.ports.ledger.propose(shard, command).await?;
        if let Some(shared) = self.get(agent) {
            shared.interrupt(task, Interrupt::Cancel);
        }
        Ok(())
    }
}
