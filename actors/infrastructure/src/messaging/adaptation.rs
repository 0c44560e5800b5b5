//! Messaging as a port.

use super::realization::{Follow, Merge, Parts};
use async_trait::async_trait;
use octopussy_core::ids::{AgentId, MessageId, PartyId, TaskId};
use octopussy_core::message::{Message, MessageDraft, MessageType};
use octopussy_core::ports::{
    AgentHost, AgentLifecyclePort, AgentLive, EventId, EventKind, MessagingPort, Metric, Page, ProposeError,
    Submission, Subscription, TaskFilter, TaskQuery, Topic,
};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::{Applied, Command, NewTask, Refusal, TaskRecord, TaskState};
use std::sync::Arc;
use uuid::Uuid;

/// The handle on messaging. Cloning is cheap.
#[derive(Clone)]
pub struct MessagingHandle(pub(super) Arc<Parts>);

impl MessagingHandle {
    async fn propose(&self, task: TaskId, command: Command) -> Result<Applied, Problem> {
        let shard = self.0.ledger.shards().shard_of_task(task);
        Ok(self.0.ledger.propose(shard, command).await?)
    }

    async fn dead_letter(&self, id: TaskId) -> Result<Arc<TaskRecord>, Problem> {
        let task = self.0.ledger.task(id).await?.ok_or_else(|| ProposeError::from(Refusal::UnknownTask(id)))?;
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
        match self.propose(id, Command::Accept { task, now: self.0.clock.now() }).await? {
            Applied::Task(task) => {
                self.0.observability.count(Metric::TasksAccepted, "", 1);
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
        self.0.command(message).await
    }

    fn attach(&self, host: Arc<dyn AgentHost>) {
        *self.0.host.write() = Some(host);
    }

    fn publish(&self, agent: AgentId, task: Option<TaskId>, kind: EventKind) {
        self.0.hub.publish(agent, task, kind);
    }

    fn is_watched(&self, _: AgentId, task: TaskId) -> bool {
        self.0.hub.is_task_watched(task)
    }

    fn attach_lifecycle(&self, lifecycle: Arc<dyn AgentLifecyclePort>) {
        *self.0.lifecycle.write() = Some(lifecycle);
    }

    async fn live(&self, agents: &[AgentId]) -> Vec<AgentLive> {
        self.0.live(agents).await
    }

    async fn subscribe(&self, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem> {
        match self.0.hub.shard_of(topic) {
            Some(shard) => Follow::subscribe(&self.0, topic, shard, after).await,
            None => Merge::subscribe(&self.0, topic, after).await,
        }
    }

    fn subscribe_here(&self, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem> {
        self.0.here(topic, after)
    }

    async fn dead_letters(&self, after: Option<TaskId>, limit: usize) -> Result<Page<Arc<TaskRecord>>, Problem> {
        let filter = TaskFilter::State(TaskState::DeadLettered);
        Ok(self.0.ledger.tasks(&TaskQuery { agent: None, filter, after, limit }).await?)
    }

    async fn dead_letter_count(&self) -> Result<u64, Problem> {
        Ok(self.0.ledger.dead_letters().await?)
    }

    async fn replay(&self, task: TaskId, by: PartyId) -> Result<Arc<TaskRecord>, Problem> {
        let before = self.dead_letter(task).await?;
        let now = self.0.clock.now();
        let message = self.0.security.sign(MessageDraft {
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
            Applied::Done => Ok(self.0.ledger.task(task).await?.unwrap_or(before)),
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
        self.0.security.sign(draft)
    }
}
