//! Agents: creating them, what is wanted of them, what they spend.

use crate::machine::Handled;
use crate::{Cold, Effects, Machine, Write};
use octopussy_core::agent::{AgentRecord, Desired, Usage, UsageWindow};
use octopussy_core::ids::AgentId;
use octopussy_core::task::{Applied, DeadLetterReason, LedgerEvent, Refusal};
use octopussy_core::time::Timestamp;
use std::sync::Arc;

impl Machine {
    pub(crate) fn create_agent(&mut self, agent: AgentRecord, cold: &impl Cold, effects: &mut Effects) -> Handled {
        if let Some(existing) = self.find_agent(agent.id, cold)? {
            // The very same request again: its sender repeats it when the answer was lost.
            let repeated = existing.created_at == agent.created_at
                && existing.spec == agent.spec
                && existing.documents == agent.documents
                && existing.versions == agent.versions;
            let refusal = || Refusal::AgentExists(agent.spec.name.clone()).into();
            return if repeated { Ok(Applied::Agent(existing)) } else { Err(refusal()) };
        }
        let agent = Arc::new(agent);
        effects.writes.push(Write::Blueprint(Arc::clone(&agent)));
        effects.writes.push(Write::Agent(Arc::clone(&agent)));
        effects.events.push(LedgerEvent::AgentChanged { agent: agent.id });
        Ok(Applied::Agent(agent))
    }

    /// Sets what is wanted of an agent. A stopped one stays stopped.
    pub(crate) fn set_desired(
        &mut self,
        id: AgentId,
        desired: Desired,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let mut agent = self.find_agent(id, cold)?.ok_or(Refusal::UnknownAgent(id))?;
        if agent.desired == desired {
            return Ok(Applied::Agent(agent));
        }
        if agent.desired == Desired::Stopped {
            return Err(Refusal::AgentStopped(id).into());
        }
        let waiting: Vec<_> = self.agents.get(&id).map(|hot| hot.mailbox.tasks().collect()).unwrap_or_default();
        let ended = if desired == Desired::Stopped { self.unended(waiting.iter().copied(), cold)? } else { Vec::new() };
        let now = self.advance(now);
        Arc::make_mut(&mut agent).desired = desired;
        self.put_agent(&agent, effects);
        effects.events.push(LedgerEvent::AgentChanged { agent: id });
        match desired {
            Desired::Active => {
                let ready = waiting.into_iter().map(|task| LedgerEvent::TaskReady { agent: id, task });
                effects.events.extend(ready);
            }
            Desired::Paused => {}
            Desired::Stopped => {
                for task in ended {
                    // Each buried task counts on the agent's record, so the next one must start from that.
                    if let Applied::Task(_) = self.bury(task, DeadLetterReason::AgentStopped, None, now, effects)? {
                        agent = latest_agent(effects).unwrap_or(agent);
                    }
                }
            }
        }
        Ok(Applied::Agent(agent))
    }

    pub(crate) fn record_usage(
        &mut self,
        id: AgentId,
        usage: Usage,
        now: Timestamp,
        cold: &impl Cold,
        effects: &mut Effects,
    ) -> Handled {
        let mut agent = self.find_agent(id, cold)?.ok_or(Refusal::UnknownAgent(id))?;
        let now = self.advance(now);
        Arc::make_mut(&mut agent).usage.record(usage, now);
        self.put_agent(&agent, effects);
        Ok(Applied::Agent(agent))
    }

    pub(crate) fn reset_usage(&mut self, id: AgentId, cold: &impl Cold, effects: &mut Effects) -> Handled {
        let mut agent = self.find_agent(id, cold)?.ok_or(Refusal::UnknownAgent(id))?;
        Arc::make_mut(&mut agent).usage = UsageWindow::default();
        self.put_agent(&agent, effects);
        Ok(Applied::Agent(agent))
    }
}

fn latest_agent(effects: &Effects) -> Option<Arc<AgentRecord>> {
    effects.writes.iter().rev().find_map(|write| match write {
        Write::Agent(agent) => Some(Arc::clone(agent)),
        Write::Blueprint(_)
        | Write::Head(_)
        | Write::Hot(_)
        | Write::Ended(_)
        | Write::Revived(_)
        | Write::Forgotten(_)
        | Write::Step(..)
        | Write::Key(..)
        | Write::KeyForgotten(..)
        | Write::AgentForgotten(_) => None,
    })
}
