//! What agents may spend.

use crate::agent::{Budget, Period, Usage};
use crate::contract::{Port, PortId};
use crate::ids::AgentId;
use crate::problem::Problem;
use async_trait::async_trait;

/// One period's limits and spending.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeriodReport {
    /// Which period.
    pub period: Period,
    /// What was spent.
    pub spent: Usage,
    /// The limit in tokens.
    pub token_limit: u64,
    /// The limit in US dollars, where there is one.
    pub cost_limit: Option<f64>,
}

impl PeriodReport {
    /// Whether a limit is reached.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "dollars need no more than 53 bits")]
        let dollars = self.spent.cost_micros as f64 / 1e6;
        self.spent.tokens() >= self.token_limit || self.cost_limit.is_some_and(|limit| dollars >= limit)
    }
}

/// All periods of one agent.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetReport {
    /// Hour, day, month.
    pub periods: [PeriodReport; 3],
}

/// Whether an agent may spend.
#[derive(Debug, Clone, PartialEq)]
pub enum BudgetVerdict {
    /// It may.
    Within,
    /// It may not: the period with the limit that is reached, and a sentence that says so.
    Exhausted {
        /// Which period.
        period: Period,
        /// What to tell the sender.
        detail: String,
    },
}

/// Watches over spending.
#[async_trait]
pub trait TokenBudgetPort: Send + Sync {
    /// Whether the agent may spend: it may not as soon as ANY period's limit is reached. Asked where the agent runs, at the
    /// leader of its shard; elsewhere nothing is known, and nothing is held against the agent.
    fn check(&self, agent: AgentId, budget: &Budget) -> BudgetVerdict;

    /// Records spending outside a journaled step (steps record theirs when they are committed).
    async fn record(&self, agent: AgentId, usage: Usage) -> Result<(), Problem>;

    /// What was spent of what.
    async fn report(&self, agent: AgentId, budget: &Budget) -> Result<BudgetReport, Problem>;

    /// Starts all periods anew.
    async fn reset(&self, agent: AgentId) -> Result<(), Problem>;
}

impl Port for dyn TokenBudgetPort {
    const ID: PortId = PortId::TokenBudget;
}
