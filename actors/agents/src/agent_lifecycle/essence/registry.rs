//! The active agents with their states and heartbeats.

use octopussy_core::agent::{AgentEvent, AgentState, IllegalTransition};
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{AgentHealth, AgentStatus};
use octopussy_core::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
struct Entry {
    state: AgentState,
    since: Timestamp,
    heard: Timestamp,
    /// News may have been lost since it was last heard: it may be gone without our knowing.
    doubtful: bool,
}

/// The active agents of this node, bounded.
#[derive(Debug)]
pub struct Registry {
    agents: HashMap<AgentId, Entry>,
    bound: usize,
    unhealthy_after: Duration,
}

impl Registry {
    /// An empty registry for at most `bound` agents.
    #[must_use]
    pub fn new(bound: usize, unhealthy_after: Duration) -> Self {
        Self { agents: HashMap::new(), bound: bound.max(1), unhealthy_after }
    }

    /// A new active agent, in state CREATED. `false`: the registry is full, the agent is not followed.
    pub fn register(&mut self, agent: AgentId, now: Timestamp) -> bool {
        self.set(agent, AgentState::Created, now)
    }

    /// Applies an event.
    ///
    /// # Errors
    /// [`IllegalTransition`]; nothing has changed.
    pub fn transition(
        &mut self,
        agent: AgentId,
        event: AgentEvent,
        now: Timestamp,
    ) -> Result<AgentState, IllegalTransition> {
        let from = self.agents.get(&agent).map_or(AgentState::Created, |entry| entry.state);
        let state = from.after(event)?;
        self.set(agent, state, now);
        Ok(state)
    }

    /// An actor announces its state. CREATED begins an activation and STOPPED ends it; states of agents that are not
    /// active here are somebody else's news. `false`: the registry is full.
    pub fn announced(&mut self, agent: AgentId, state: AgentState, now: Timestamp) -> bool {
        match state {
            AgentState::Stopped => {
                self.agents.remove(&agent);
                true
            }
            AgentState::Created => self.set(agent, state, now),
            AgentState::Idle
            | AgentState::Processing
            | AgentState::Paused
            | AgentState::Error
            | AgentState::Stopping => !self.agents.contains_key(&agent) || self.set(agent, state, now),
        }
    }

    /// The agent's runtime is alive, in this state where it says so. An agent whose beginning was missed is taken up.
    /// `false`: the registry is full.
    pub fn heartbeat(&mut self, agent: AgentId, state: Option<AgentState>, now: Timestamp) -> bool {
        match (self.agents.get_mut(&agent), state) {
            (_, Some(state)) => self.set(agent, state, now),
            (Some(entry), None) => {
                entry.heard = entry.heard.max(now);
                entry.doubtful = false;
                true
            }
            (None, None) => true,
        }
    }

    /// The agent is no longer active here.
    pub fn deregister(&mut self, agent: AgentId) {
        self.agents.remove(&agent);
    }

    /// News has been lost: every agent is doubtful until it is heard of again.
    pub fn doubt(&mut self) {
        for entry in self.agents.values_mut() {
            entry.doubtful = true;
        }
    }

    /// Forgets doubtful agents that were not heard of within the bound: their end was among the lost news.
    pub fn forget_lost(&mut self, now: Timestamp) {
        let bound = self.unhealthy_after;
        self.agents.retain(|_, entry| !entry.doubtful || now.since(entry.heard) <= bound);
    }

    /// The agent's status at `now`.
    #[must_use]
    pub fn status(&self, agent: AgentId, now: Timestamp) -> Option<AgentStatus> {
        self.agents.get(&agent).map(|entry| self.status_of(entry, now))
    }

    /// All agents at `now`, by id.
    #[must_use]
    pub fn list(&self, now: Timestamp) -> Vec<(AgentId, AgentStatus)> {
        let mut all: Vec<_> = self.agents.iter().map(|(&id, entry)| (id, self.status_of(entry, now))).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    fn set(&mut self, agent: AgentId, state: AgentState, now: Timestamp) -> bool {
        if let Some(entry) = self.agents.get_mut(&agent) {
            if entry.state != state {
                entry.state = state;
                entry.since = now;
            }
            entry.heard = entry.heard.max(now);
            entry.doubtful = false;
            return true;
        }
        if self.agents.len() >= self.bound {
            return false;
        }
        self.agents.insert(agent, Entry { state, since: now, heard: now, doubtful: false });
        true
    }

    fn status_of(&self, entry: &Entry, now: Timestamp) -> AgentStatus {
        let silent = now.since(entry.heard) > self.unhealthy_after;
        AgentStatus {
            state: entry.state,
            since: entry.since,
            last_heartbeat: entry.heard,
            health: if silent { AgentHealth::Unhealthy } else { AgentHealth::Healthy },
        }
    }
}
