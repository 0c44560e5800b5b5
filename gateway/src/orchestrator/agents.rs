//! Agents that change and go.

use super::Orchestrator;
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{Action, AgentBundle, AgentView, Principal, ProposeError};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::{Applied, Command, Refusal};

impl Orchestrator {
    pub(super) async fn update(
        &self,
        principal: &Principal,
        id: AgentId,
        bundle: AgentBundle,
    ) -> Result<AgentView, Problem> {
        self.allow(principal, Action::ManageAgents)?;
        let updated = self.ports().agent_factory.update(id, bundle, &principal.name).await;
        let subject = updated
            .as_ref()
            .map_or_else(|_| id.to_string(), |record| format!("{}, version {}", record.spec.name, record.version()));
        self.audit(principal, "agent.update", subject, &updated);
        Ok(self.view(updated?).await)
    }

    pub(super) async fn delete(&self, principal: &Principal, id: AgentId, force: bool) -> Result<u64, Problem> {
        self.allow(principal, Action::ManageAgents)?;
        let name = self.record(id).await?.spec.name.clone();
        let deleted = self.commit_delete(principal, id, &name, force).await;
        let action = if force { "agent.delete_forced" } else { "agent.delete" };
        self.audit(principal, action, name, &deleted);
        deleted
    }

    async fn commit_delete(&self, principal: &Principal, id: AgentId, name: &str, force: bool) -> Result<u64, Problem> {
        let ledger = &self.ports().ledger;
        let reason = format!("the agent was deleted by {}", principal.name).into();
        let command = Command::DeleteAgent { agent: id, force, reason, now: self.now() };
        match ledger.propose(ledger.shards().shard_of(id), command).await {
            Ok(Applied::Count(cancelled)) => Ok(cancelled),
            Ok(
                Applied::Done | Applied::Activated(_) | Applied::Agent(_) | Applied::Task(_) | Applied::Duplicate(_),
            ) => Err(Problem::new(Code::Internal, "the ledger's answer does not fit a deletion")),
            Err(ProposeError::Refused(Refusal::AgentBusy { tasks, .. })) => {
                let what = if tasks == 1 { "task that has" } else { "tasks that have" };
                Err(Problem::new(Code::AgentBusy, format!("agent '{name}' has {tasks} {what} not ended"))
                    .hint("wait for the end, or cancel with it: `octopussy agent delete NAME --force`"))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn reset_usage(&self, principal: &Principal, id: AgentId) -> Result<AgentView, Problem> {
        self.allow(principal, Action::ManageAgents)?;
        let record = self.record(id).await?;
        let ledger = &self.ports().ledger;
        let reset = ledger.propose(ledger.shards().shard_of(id), Command::ResetUsage { agent: id }).await;
        let reset = reset.map_err(Problem::from);
        self.audit(principal, "agent.reset_budget", record.spec.name.clone(), &reset);
        reset?;
        let record = self.record(id).await?;
        Ok(self.view(record).await)
    }
}
