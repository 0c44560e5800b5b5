//! The ledger of the cluster, from any node.

use super::listing::{self, everywhere};
use super::local;
use super::patience::Patience;
use super::remote::{at_leader, is_repeatable};
use super::wire::{Rejection, Reply, Request};
use crate::groups::Core;
use crate::raft::GroupId;
use crate::routing;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use octopussy_core::agent::AgentRecord;
use octopussy_core::ids::{AgentId, NodeId, ShardCount, ShardId, TaskId};
use octopussy_core::ports::{AgentQuery, LedgerPort, Page, ProposeError, TaskQuery};
use octopussy_core::task::{Applied, Command, TaskRecord};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// For how long a task's end is waited for at one leader before the waiting is renewed, which finds a new leader.
const RENEW_AFTER: Duration = Duration::from_secs(10);

/// How often a task is looked at when its leader has too many who wait.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The ledger of the cluster, from this node.
pub(crate) struct ClusterLedger {
    core: Arc<Core>,
}

/// An answer of another kind than the question's.
fn unfitting() -> ProposeError {
    ProposeError::Store("the answer does not fit the question".into())
}

impl ClusterLedger {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    async fn read(&self, shard: ShardId, request: Request, extra: Duration) -> Result<Reply, ProposeError> {
        let mut patience = Patience::new(self.core.context.config.patience);
        at_leader(&self.core, shard, request, true, &mut patience, extra).await
    }

    async fn read_task(
        &self,
        id: TaskId,
        request: Request,
        extra: Duration,
    ) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        match self.read(self.shards().shard_of_task(id), request, extra).await? {
            Reply::Task(task) => Ok(task),
            Reply::Applied(_)
            | Reply::Agent(_)
            | Reply::Count(_)
            | Reply::Tasks(_)
            | Reply::Agents(_)
            | Reply::DeadLetters(_)
            | Reply::Word(_)
            | Reply::Digests(_) => Err(unfitting()),
        }
    }
}

/// Tries to find the shard's leader for a command that this node did not commit.
async fn propose_elsewhere(
    core: &Arc<Core>,
    shard: ShardId,
    command: Command,
    uncertain: bool,
) -> Result<Applied, ProposeError> {
    let repeat = is_repeatable(&command);
    let mut patience = Patience::new(core.context.config.patience);
    let request = Request::Propose(shard, command);
    match at_leader(core, shard, request, repeat, &mut patience, Duration::ZERO).await {
        Ok(Reply::Applied(applied)) => Ok(applied),
        Ok(
            Reply::Task(_)
            | Reply::Agent(_)
            | Reply::Count(_)
            | Reply::Tasks(_)
            | Reply::Agents(_)
            | Reply::DeadLetters(_)
            | Reply::Word(_)
            | Reply::Digests(_),
        ) => Err(unfitting()),
        // Nothing changed by the last attempt, which says nothing of the first.
        Err(ProposeError::NoLeader(_) | ProposeError::Stopping | ProposeError::Busy | ProposeError::Full { .. })
            if uncertain =>
        {
            Err(ProposeError::Uncertain(shard))
        }
        Err(error) => Err(error),
    }
}

#[async_trait]
impl LedgerPort for ClusterLedger {
    fn shards(&self) -> ShardCount {
        self.core.shards()
    }

    fn propose(&self, shard: ShardId, command: Command) -> BoxFuture<'static, Result<Applied, ProposeError>> {
        if !routing::belongs(&command, shard, self.core.shards()) {
            return ready(Err(ProposeError::NotLeader(shard))).boxed();
        }
        let core = Arc::clone(&self.core);
        let first = local::propose(&core, shard, command.clone());
        async move {
            let answer = match first {
                Ok(answer) => answer.await,
                Err(rejection) => Err(rejection),
            };
            match answer {
                Ok(applied) => Ok(applied),
                Err(Rejection::NotLeader(_)) if routing::is_leaders_own(&command) => {
                    Err(ProposeError::NotLeader(shard))
                }
                Err(Rejection::Failed(ProposeError::Uncertain(_))) if routing::is_leaders_own(&command) => {
                    Err(ProposeError::Uncertain(shard))
                }
                Err(Rejection::NotLeader(_)) => propose_elsewhere(&core, shard, command, false).await,
                Err(Rejection::Failed(ProposeError::Uncertain(_))) if is_repeatable(&command) => {
                    propose_elsewhere(&core, shard, command, true).await
                }
                Err(Rejection::Failed(error)) => Err(error),
            }
        }
        .boxed()
    }

    async fn task(&self, id: TaskId) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        self.read_task(id, Request::Task(id), Duration::ZERO).await
    }

    async fn agent(&self, id: AgentId) -> Result<Option<Arc<AgentRecord>>, ProposeError> {
        match self.read(self.shards().shard_of(id), Request::Agent(id), Duration::ZERO).await? {
            Reply::Agent(agent) => Ok(agent),
            Reply::Applied(_)
            | Reply::Task(_)
            | Reply::Count(_)
            | Reply::Tasks(_)
            | Reply::Agents(_)
            | Reply::DeadLetters(_)
            | Reply::Word(_)
            | Reply::Digests(_) => Err(unfitting()),
        }
    }

    async fn waiting(&self, agent: AgentId) -> Result<usize, ProposeError> {
        match self.read(self.shards().shard_of(agent), Request::Waiting(agent), Duration::ZERO).await? {
            Reply::Count(count) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
            Reply::Applied(_)
            | Reply::Task(_)
            | Reply::Agent(_)
            | Reply::Tasks(_)
            | Reply::Agents(_)
            | Reply::DeadLetters(_)
            | Reply::Word(_)
            | Reply::Digests(_) => Err(unfitting()),
        }
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Arc<TaskRecord>>, ProposeError> {
        let replies = match query.agent {
            // The tasks of an agent are where the agent is.
            Some(agent) => {
                let shard = self.shards().shard_of(agent);
                everywhere(&self.core, vec![shard], |shards| Request::Tasks(shards, query.clone())).await?
            }
            None => {
                let all = self.shards().all().collect();
                everywhere(&self.core, all, |shards| Request::Tasks(shards, query.clone())).await?
            }
        };
        Ok(listing::merge_tasks(replies, query.limit))
    }

    async fn agents(&self, query: &AgentQuery) -> Result<Page<Arc<AgentRecord>>, ProposeError> {
        let all = self.shards().all().collect();
        let replies = everywhere(&self.core, all, |shards| Request::Agents(shards, *query)).await?;
        Ok(listing::merge_agents(replies, query.limit))
    }

    async fn dead_letters(&self) -> Result<u64, ProposeError> {
        let all = self.shards().all().collect();
        let replies = everywhere(&self.core, all, Request::DeadLetters).await?;
        Ok(listing::sum(replies))
    }

    async fn await_end(&self, id: TaskId, limit: Duration) -> Result<Option<Arc<TaskRecord>>, ProposeError> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now()).min(RENEW_AFTER);
            if left.is_zero() {
                return self.task(id).await;
            }
            match self.read_task(id, Request::AwaitEnd(id, left), left).await {
                Ok(Some(task)) if !task.state.is_ended() => {}
                Err(ProposeError::Busy) => tokio::time::sleep(LOOK_AGAIN.min(left)).await,
                ended => return ended,
            }
        }
    }

    fn leader(&self, shard: ShardId) -> Option<NodeId> {
        self.core.leader(GroupId::of(shard))
    }

    fn health(&self) -> Result<(), ProposeError> {
        if self.core.stopping.is_cancelled() {
            return Err(ProposeError::Stopping);
        }
        self.core.context.health()
    }
}
