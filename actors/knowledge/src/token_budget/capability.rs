//! The token budget from its configuration to its running half.

use super::{TokenBudgetConfig, TokenBudgetHandle, TokenBudgetNeeds, TokenBudgetProvides};
use octopussy_core::contract::Contract;
use octopussy_lifecycle::{Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired};
use std::sync::Arc;

/// Token budget \[13\].
pub struct TokenBudgetCapability {
    config: TokenBudgetConfig,
}

/// The running half: everything is in the ledger, so that there is nothing to finish.
pub struct TokenBudgetRunning;

impl Capability for TokenBudgetCapability {
    const CONTRACT: &'static Contract = &super::CONTRACT;
    type Config = TokenBudgetConfig;
    type Requires = TokenBudgetNeeds;
    type Provides = TokenBudgetProvides;
    type Running = TokenBudgetRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        Ok(Self { config })
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let (ports, enforce) = (wired.ports, wired.inner.config.enforce);
        let handle = TokenBudgetHandle::new(ports.ledger, ports.led, cx.clock, enforce);
        Ok((TokenBudgetProvides { budget: Arc::new(handle) }, TokenBudgetRunning))
    }
}

impl Running for TokenBudgetRunning {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        Ok(())
    }

    async fn cleanup(self) {}
}
