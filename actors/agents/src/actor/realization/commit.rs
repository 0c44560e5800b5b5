//! Proposing to the ledger, patiently while its log is at its bound.

use super::host::Host;
use super::shared::AgentShared;
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Applied, Command};
use std::time::Duration;

/// The longest wait between two proposals to a busy log.
const BUSY_MAX: Duration = Duration::from_millis(200);

impl Host {
    /// Commits a command of an active agent. A busy log is asked again until it takes the command or the agent is fenced.
    pub(crate) async fn commit(&self, shared: &AgentShared, command: Command) -> Result<Applied, ProposeError> {
        let mut wait = Duration::from_millis(5);
        loop {
            if shared.is_fenced() {
                return Err(ProposeError::NotLeader(shared.shard));
            }
            match self.ports.ledger.propose(shared.shard, command.clone()).await {
                Err(ProposeError::Busy) => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(BUSY_MAX);
                }
                other => return other,
            }
        }
    }
}
