//! Messaging as a port.

use super::realization::Hub;
use async_trait::async_trait;
use octopussy_core::ids::{AgentId, MessageId, PartyId, TaskId};
use octopussy_core::message::{Message, MessageDraft, MessageType};
use octopussy_core::ports::{
    AgentHost, AgentLifecyclePort, AgentLive, EventId, EventKind, LedShardsPort, LedgerPort, MeshPort, MessagingPort,
    Metric, ObservabilityPort, Page, ProposeError, SecurityPort, Submission, Subscription, TaskFilter, TaskQuery, Topic,
};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::{Applied, Command, NewTask, Refusal, TaskRecord, TaskState};
use octopussy_core::time::Clock;
use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The handle on messaging. Cloning is cheap.
#[derive(Clone)]
pub struct MessagingHandle {
    pub(super) hub: Arc<Hub>,
    pub(super) ledger: Arc<dyn LedgerPort>,
    pub(super) led: Arc<dyn LedShardsPort>,
    pub(super) mesh: Arc<dyn MeshPort>,
    pub(super) security: Arc<dyn SecurityPort>,
    pub(super) observability: Arc<dyn ObservabilityPort>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) host: Arc<RwLock<Option<Arc<dyn AgentHost>>>>,
    pub(super) lifecycle: Arc<RwLock<Option<Arc<dyn AgentLifecyclePort>>>>,
}

impl MessagingHandle {
    async fn propose(&self, task: TaskId, command: Command) -> Result<Applied, Problem> {
        let shard = self.ledger.shards().shard_of_task(task);
        Ok(self.ledger.propose(shard, command).await?)
    }

    async fn dead_letter(&self, id: TaskId) -> Result<Arc<TaskRecord>, Problem> {
        let task = self.ledger.task(id).await?.ok_or_else(|| ProposeError::from(Refusal::UnknownTask(id)))?;
        if task.state == TaskState::DeadLettered {
            Ok(task)
        } else {
            Err(ProposeError::from(Refusal::NotDeadLettered(id)).into())
        }
    }
}

fn unexpected(applied: &Applied) -> Problem {
    Problem::new(Code::Internal, format!("the ledger answered with something else than a task: {applied:?}"))
}

#[async_trait]
impl MessagingPort for MessagingHandle {
    async fn submit(&self, submission: Submission) -> Result<(Arc<TaskRecord>, bool), Problem> {
        let Submission { message, idempotency, max_attempts } = submission;
        if message.message_type() != MessageType::Task {
            return Err(Problem::new(Code::Unprocessable, "only a message of type TASK can become a task"));
        }
        let agent = AgentId::from(message.recipient_id());
        let id = TaskId::for_agent(agent, Uuid::now_v7());
        let sender = message.sender_id();
        let task = Box::new(NewTask { id, agent, sender, message, idempotency, max_attempts });
        match self.propose(id, Command::Accept { task, now: self.clock.now() }).await? {
            Applied::Task(task) => {
                self.observability.count(Metric::TasksAccepted, "", 1);
                Ok((task, true))
            }
            Applied::Duplicate(task) => Ok((task, false)),
            other @ (Applied::Activated(_) | Applied::Done | Applied::Agent(_) | Applied::Count(_)) => {
                Err(unexpected(&other))
            }
        }
    }

    async fn control(&self, message: Message) -> Result<(), Problem> {
        if message.message_type() != MessageType::Control {
            return Err(Problem::new(Code::Unprocessable, "only a message of type CONTROL can be handed to a host"));
        }
        let host = self.host.read().clone();
        let host = host.ok_or_else(|| {
            Problem::new(Code::NotReady, "no agents are hosted on this node yet").retry_after(Duration::from_secs(1))
        })?;
        host.control(message).await
    }

    fn attach(&self, host: Arc<dyn AgentHost>) {
        *self.host.write() = Some(host);
    }

    fn publish(&self, agent: AgentId, task: Option<TaskId>, kind: EventKind) {
        self.hub.publish(agent, task, kind);
    }

    fn is_watched(&self, _: AgentId, task: TaskId) -> bool {
        self.hub.is_task_watched(task)
    }

    fn attach_lifecycle(&self, lifecycle: Arc<dyn AgentLifecyclePort>) {
        *self.lifecycle.write() = Some(lifecycle);
    }

    async fn live(&self, agents: &[AgentId]) -> Vec<AgentLive> {
        let lifecycle = self.lifecycle.read().clone();
        let status = |agent| lifecycle.as_ref().and_then(|lifecycle| lifecycle.status(agent));
        agents
            .iter()
            .map(|&agent| AgentLive { agent, status: status(agent), waiting: self.led.waiting(agent) })
            .collect()
    }

    async fn subscribe(&self, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem> {
        self.subscribe_here(topic, after)
    }

    fn subscribe_here(&self, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem> {
        let agent = match topic {
            Topic::Task(task) => self.led.task(task).ok().flatten().map(|task| task.agent),
            Topic::Agent(agent) => Some(agent),
            Topic::Agents | Topic::All => None,
        };
        self.hub.subscribe(topic, agent, after)
    }

    async fn dead_letters(&self, after: Option<TaskId>, limit: usize) -> Result<Page<Arc<TaskRecord>>, Problem> {
        let filter = TaskFilter::State(TaskState::DeadLettered);
        Ok(self.ledger.tasks(&TaskQuery { agent: None, filter, after, limit }).await?)
    }

    async fn dead_letter_count(&self) -> Result<u64, Problem> {
        Ok(self.ledger.dead_letters().await?)
    }

    async fn replay(&self, task: TaskId, by: PartyId) -> Result<Arc<TaskRecord>, Problem> {
        let before = self.dead_letter(task).await?;
        let now = self.clock.now();
        let message = self.security.sign(MessageDraft {
            message_id: MessageId::from_uuid(Uuid::now_v7()),
            sender_id: by,
            recipient_id: before.message.recipient_id(),
            message_type: MessageType::Task,
            payload: before.message.payload().clone(),
            priority: before.message.priority(),
            trace_id: before.message.trace_id(),
            created_at: now,
            ttl: before.message.ttl(),
        });
        match self.propose(task, Command::Replay { task, message: Arc::new(message), now }).await? {
            Applied::Task(task) => Ok(task),
            Applied::Done => Ok(self.ledger.task(task).await?.unwrap_or(before)),
            other @ (Applied::Activated(_) | Applied::Agent(_) | Applied::Duplicate(_) | Applied::Count(_)) => {
                Err(unexpected(&other))
            }
        }
    }

    async fn discard(&self, task: TaskId) -> Result<(), Problem> {
        self.dead_letter(task).await?;
        self.propose(task, Command::Discard { task }).await.map(drop)
    }

    fn sign(&self, draft: MessageDraft) -> Message {
        self.security.sign(draft)
    }
}
