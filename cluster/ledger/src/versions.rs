//! Agents that change and go.

use crate::machine::Handled;
use crate::{Cold, Effects, Machine, Write};
use octopussy_core::agent::{AgentRecord, AgentSpec, AgentVersion, Desired, VERSIONS_KEPT};
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::task::{Applied, LedgerEvent, Refusal, TaskState};
use octopussy_core::time::Timestamp;
use std::sync::Arc;

impl Machine {
    /// Gives an agent another version. Tasks that wait take it up when they are begun; those that run end on the version they
    /// have begun with. What the agent remembers and has spent stays.
    pub(crate) fn update_agent(
        &mut self,
        id: AgentId,
        from: u32,
        spec: Arc<AgentSpec>,
        version: AgentVersion,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let mut agent = self.find_agent(id, cold)?.ok_or(Refusal::UnknownAgent(id))?;
        let current = agent.version();
        // The very same request again: its sender repeats it when the answer was lost.
        if agent.versions.last() == Some(&version) && agent.spec == spec {
            return Ok(Applied::Agent(agent));
        }
        if agent.desired == Desired::Stopped {
            return Err(Refusal::AgentStopped(id).into());
        }
        if from != current || version.number != from.saturating_add(1) {
            return Err(Refusal::AgentChanged { agent: id, given: from, current }.into());
        }
        self.advance(version.at);
        let changed = Arc::make_mut(&mut agent);
        changed.spec = spec;
        changed.documents = Arc::clone(&version.documents);
        changed.versions = remembered(changed, version);
        effects.writes.push(Write::Blueprint(Arc::clone(&agent)));
        self.put_agent(&agent, effects);
        effects.events.push(LedgerEvent::AgentChanged { agent: id });
        Ok(Applied::Agent(agent))
    }

    /// Forgets an agent. Answers with how many of its tasks were cancelled for that.
    pub(crate) fn delete_agent(
        &mut self,
        id: AgentId,
        force: bool,
        reason: &Arc<str>,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        self.find_agent(id, cold)?.ok_or(Refusal::UnknownAgent(id))?;
        let unended = self.unended(self.unended_of(id), cold)?;
        let tasks = unended.len() as u64;
        if tasks > 0 && !force {
            return Err(Refusal::AgentBusy { agent: id, tasks }.into());
        }
        let now = self.advance(now);
        for task in unended {
            self.end_as(task, now, effects, |record| {
                record.state = TaskState::Cancelled;
                record.error = Some(Arc::clone(reason));
            })?;
        }
        effects.writes.push(Write::AgentForgotten(id));
        effects.events.push(LedgerEvent::AgentChanged { agent: id });
        Ok(Applied::Count(tasks))
    }

    /// The tasks of an agent that have not ended, in the order of acceptance.
    fn unended_of(&self, agent: AgentId) -> Vec<TaskId> {
        let tasks = self.agents.get(&agent).map(|hot| &hot.tasks).into_iter().flatten();
        let mut found: Vec<_> = tasks.filter_map(|id| Some((self.tasks.get(id)?.sequence(), *id))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, task)| task).collect()
    }
}

/// The history with another version at its end, and without the oldest one where it would be too long.
fn remembered(agent: &AgentRecord, version: AgentVersion) -> Arc<[AgentVersion]> {
    let surplus = (agent.versions.len() + 1).saturating_sub(VERSIONS_KEPT);
    agent.versions.iter().skip(surplus).cloned().chain([version]).collect()
}
