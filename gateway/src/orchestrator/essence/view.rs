//! An agent as outside sees it.

use octopussy_core::agent::{AgentRecord, AgentState, Desired};
use octopussy_core::ports::{AgentLive, AgentView};
use std::sync::Arc;

/// Puts together what the ledger has of an agent and what the leader of its shard knows of it, where that answered.
pub(in crate::orchestrator) fn view(live: Option<AgentLive>, record: Arc<AgentRecord>) -> AgentView {
    let status = live.and_then(|live| live.status);
    let state = status.map_or(
        match record.desired {
            Desired::Active => AgentState::Idle,
            Desired::Paused => AgentState::Paused,
            Desired::Stopped => AgentState::Stopped,
        },
        |status| status.state,
    );
    AgentView { record, state, live: status, waiting: live.map_or(0, |live| live.waiting) }
}
