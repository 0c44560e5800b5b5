//! The token budget as a port, over the ledger.

use super::essence;
use async_trait::async_trait;
use octopussy_core::agent::{Budget, Usage, UsageWindow};
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{BudgetReport, BudgetVerdict, LedShardsPort, LedgerPort, TokenBudgetPort};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::Command;
use octopussy_core::time::Clock;
use std::sync::Arc;

/// The handle on the token budget. Cloning is cheap.
#[derive(Clone)]
pub struct TokenBudgetHandle {
    ledger: Arc<dyn LedgerPort>,
    led: Arc<dyn LedShardsPort>,
    clock: Arc<dyn Clock>,
    enforce: bool,
}

impl TokenBudgetHandle {
    pub(super) fn new(
        ledger: Arc<dyn LedgerPort>,
        led: Arc<dyn LedShardsPort>,
        clock: Arc<dyn Clock>,
        enforce: bool,
    ) -> Self {
        Self { ledger, led, clock, enforce }
    }

    async fn usage(&self, agent: AgentId) -> Result<UsageWindow, Problem> {
        match self.ledger.agent(agent).await? {
            Some(record) => Ok(record.usage),
            None => Err(Problem::new(Code::UnknownAgent, format!("there is no agent {agent}"))
                .hint("`octopussy agent list` shows the agents there are")),
        }
    }

    async fn propose(&self, agent: AgentId, command: Command) -> Result<(), Problem> {
        self.ledger.propose(self.ledger.shards().shard_of(agent), command).await?;
        Ok(())
    }
}

#[async_trait]
impl TokenBudgetPort for TokenBudgetHandle {
    fn check(&self, agent: AgentId, budget: &Budget) -> BudgetVerdict {
        if !self.enforce {
            return BudgetVerdict::Within;
        }
        // Only the leader of its shard runs an agent, so that nothing has to be asked elsewhere. A ledger that cannot be read
        // cannot be written either, and nothing is spent without a write: what cannot be known here is not held against the
        // agent.
        match self.led.agent(agent) {
            Ok(Some(record)) => essence::check(&record.usage, budget, self.clock.now()),
            Ok(None) | Err(_) => BudgetVerdict::Within,
        }
    }

    async fn record(&self, agent: AgentId, usage: Usage) -> Result<(), Problem> {
        self.propose(agent, Command::RecordUsage { agent, usage, now: self.clock.now() }).await
    }

    async fn report(&self, agent: AgentId, budget: &Budget) -> Result<BudgetReport, Problem> {
        Ok(essence::report(&self.usage(agent).await?, budget, self.clock.now()))
    }

    async fn reset(&self, agent: AgentId) -> Result<(), Problem> {
        self.propose(agent, Command::ResetUsage { agent }).await
    }
}
