//! The ledger port of a single node.

use crate::error::propose_error;
use crate::node::SingleNode;
use crate::proposal::{Proposal, Reply};
use crate::{listing, records, routing};
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, Epoch, ShardCount, ShardId, TaskId};
use octopussy_core::ports::{AgentQuery, LedgerObserver, LedgerPort, Page, ProposeError, TaskQuery};
use octopussy_core::task::{Applied, Command, LedgerEvent, TaskRecord};
use octopussy_ledger::{Cold, ColdError, Machine};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;

fn store_error(error: ColdError) -> ProposeError {
    ProposeError::Store(error.0)
}

impl SingleNode {
    /// Puts a command in line, or says why not.
    fn submit(
        &self,
        shard: ShardId,
        command: Command,
    ) -> Result<oneshot::Receiver<Result<Applied, ProposeError>>, ProposeError> {
        self.inner.failures.check()?;
        if !routing::belongs(&command, shard, self.inner.config.shards) {
            return Err(ProposeError::NotLeader(shard));
        }
        let encoded = records::encode("a command", &command).map_err(store_error)?;
        let (reply, answer) = oneshot::channel();
        let urgency = routing::urgency(&command);
        let proposal = Proposal { shard, command, encoded, reply: Reply::Future(reply) };
        self.inner.queue.push(proposal, urgency)?;
        Ok(answer)
    }
}

#[async_trait]
impl LedgerPort for SingleNode {
    fn shards(&self) -> ShardCount {
        self.inner.config.shards
    }

    fn propose(&self, shard: ShardId, command: Command) -> BoxFuture<'static, Result<Applied, ProposeError>> {
        match self.submit(shard, command) {
            // A writer that ends without an answer does so because the node stops.
            Ok(answer) => answer.map(|answer| answer.unwrap_or(Err(ProposeError::Stopping))).boxed(),
            Err(error) => futures::future::ready(Err(error)).boxed(),
        }
    }

    fn epoch(&self, shard: ShardId) -> Option<Epoch> {
        let epoch = self.inner.epochs.get(usize::from(shard.0))?.load(Ordering::Acquire);
        (epoch > 0).then_some(Epoch(epoch))
    }

    fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        let shard = self.shards().shard_of_task(id);
        let state = self.inner.state.read();
        if let Some(task) = state.machine(shard).and_then(|machine| machine.hot_task(id)) {
            return Ok(Some(Arc::clone(task)));
        }
        state.view(shard, &self.inner.store, &self.inner.agents).task(id).map_err(store_error)
    }

    fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        let shard = self.shards().shard_of(id);
        let state = self.inner.state.read();
        if let Some(agent) = state.machine(shard).and_then(|machine| machine.hot_agent(id)) {
            return Ok(Some(Arc::clone(agent)));
        }
        state.view(shard, &self.inner.store, &self.inner.agents).agent(id).map_err(store_error)
    }

    fn next_task(&self, agent: AgentId) -> Option<Arc<TaskRecord>> {
        let state = self.inner.state.read();
        state.machine(self.shards().shard_of(agent))?.next_task(agent).cloned()
    }

    fn next_tasks(&self, agent: AgentId, limit: usize) -> Vec<Arc<TaskRecord>> {
        let state = self.inner.state.read();
        let Some(machine) = state.machine(self.shards().shard_of(agent)) else { return Vec::new() };
        machine.next_tasks(agent, limit).cloned().collect()
    }

    fn waiting(&self, agent: AgentId) -> usize {
        let state = self.inner.state.read();
        state.machine(self.shards().shard_of(agent)).map_or(0, |machine| machine.waiting(agent))
    }

    fn agents_with_work(&self) -> Vec<AgentId> {
        self.inner.state.read().machines.iter().flat_map(Machine::agents_with_work).collect()
    }

    fn tasks(&self, query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ProposeError> {
        listing::tasks(&self.inner, query).map_err(store_error)
    }

    fn agents(&self, query: &AgentQuery) -> Result<Page<Arc<AgentRecord>>, ProposeError> {
        let mut ids = listing::agent_ids(&self.inner, query).map_err(store_error)?;
        let limit = listing::bounded(query.limit);
        let more = ids.len() > limit;
        ids.truncate(limit);
        let mut items = Vec::with_capacity(ids.len());
        for id in ids {
            items.extend(self.agent(id)?);
        }
        Ok(Page { items, more })
    }

    fn dead_letters(&self) -> u64 {
        self.inner.state.read().machines.iter().map(|machine| machine.record().dead).sum()
    }

    async fn await_end(&self, id: TaskId, limit: Duration) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        // In this order, so that an end between the two is not missed.
        let ended = self.inner.waiters.register(id);
        let task = match self.task(id)? {
            Some(task) if !task.state.is_ended() => task,
            found => {
                drop(ended);
                self.inner.waiters.tidy(id);
                return Ok(found);
            }
        };
        match tokio::time::timeout(limit, ended).await {
            Ok(Ok(ended)) => Ok(Some(ended)),
            Ok(Err(_)) | Err(_) => {
                self.inner.waiters.tidy(id);
                Ok(self.task(id)?.or(Some(task)))
            }
        }
    }

    fn observe(&self, observer: Arc<dyn LedgerObserver>) {
        // Under the lock that telling takes, so that what is led already is told before anything newer.
        let mut observers = self.inner.observers.write();
        for shard in self.shards().all() {
            if let Some(epoch) = self.epoch(shard) {
                observer.on_event(&LedgerEvent::LeaderGained { shard, epoch });
            }
        }
        observers.push(observer);
    }

    fn health(&self) -> Result<(), ProposeError> {
        self.inner.failures.check()?;
        if self.inner.queue.is_closed() {
            return Err(ProposeError::Stopping);
        }
        for cell in [&self.inner.log, &self.inner.store] {
            if let Some(store) = cell.guard().as_ref() {
                store.health().map_err(|error| propose_error(&error))?;
            }
        }
        Ok(())
    }
}
