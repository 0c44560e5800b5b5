//! A watcher's view of a topic: the news as they come and, after a loss, a fresh snapshot, so that a client can always
//! rebuild the whole truth from what it receives.

use super::view::{At, agent_body, step_body, task_body};
use crate::serve::Context;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use octopussy_core::ids::{AgentId, TaskId};
use octopussy_core::ports::{Event, EventId, EventKind, Principal, Subscription, Topic};
use octopussy_core::problem::Problem;
use octopussy_core::task::TaskRecord;
use octopussy_core::time::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, Sleep};
use uuid::Uuid;

/// One piece of news, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Its position; snapshots and notices have none.
    pub(crate) id: Option<EventId>,
    /// Its kind.
    pub(crate) event: &'static str,
    /// Whose agent.
    pub(crate) agent: Option<AgentId>,
    /// Which task.
    pub(crate) task: Option<TaskId>,
    /// When.
    pub(crate) at: Timestamp,
    /// What happened, as JSON.
    pub(crate) data: String,
}

/// How often whatever goes on for long looks whether its token is still good: one that was revoked ends within a second.
pub(crate) const LOOK_AT_TOKEN: Duration = Duration::from_millis(500);

/// News as they are sent.
pub(crate) type ItemStream = BoxStream<'static, Item>;

/// A subscription that mends its own gaps.
pub(crate) struct Feed {
    context: Arc<Context>,
    principal: Principal,
    topic: Topic,
    news: Subscription,
    pending: VecDeque<Item>,
    expiry: Pin<Box<Sleep>>,
    look: Interval,
    done: bool,
}

impl Feed {
    /// Subscribes. Take the snapshot after this, so that nothing falls between the two.
    pub(crate) async fn subscribe(
        context: &Arc<Context>,
        principal: &Principal,
        topic: Topic,
        after: Option<EventId>,
    ) -> Result<Self, Problem> {
        let news = context.orchestrator.watch(principal, topic, after).await?;
        let mut look = tokio::time::interval(LOOK_AT_TOKEN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let left = principal.expires_at.since(context.clock.now());
        Ok(Self {
            context: context.clone(),
            principal: principal.clone(),
            topic,
            news,
            pending: VecDeque::new(),
            expiry: Box::pin(tokio::time::sleep(left)),
            look,
            done: false,
        })
    }

    /// Puts the topic as it is now at the front of the stream: `state` with the task, or `agent` with the agent.
    pub(crate) async fn with_snapshot(mut self) -> Result<Self, Problem> {
        self.snapshot().await?;
        Ok(self)
    }

    /// What is to be sent, until the task has ended, the credentials expire or the node stops.
    pub(crate) fn into_stream(self) -> ItemStream {
        stream::unfold(self, |mut feed| async move { feed.next().await.map(|item| (item, feed)) }).boxed()
    }

    async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.pending.pop_front() {
                return Some(item);
            }
            if self.done {
                return None;
            }
            tokio::select! {
                biased;
                () = self.context.stopping.cancelled() => {
                    self.close("stopping", "the node is stopping: connect again and continue after the last event");
                }
                () = self.expiry.as_mut() => self.close("expired", "the token has expired: connect again with a new one"),
                _ = self.look.tick() => if !self.context.security.is_good(&self.principal) {
                    self.close("expired", "the token was revoked: connect again with another one");
                },
                event = self.news.next() => match event {
                    Some(event) => self.take(&event).await,
                    None => self.close("stopping", "the node hands out no more news: connect again"),
                },
            }
        }
    }

    async fn take(&mut self, event: &Event) {
        self.pending.extend(item(event));
        match &event.kind {
            EventKind::Gap => {
                if let Err(problem) = self.snapshot().await {
                    // The task was forgotten meanwhile: there will be no more news of it.
                    self.close("stopping", &problem.detail);
                }
            }
            EventKind::Ended(task) if self.topic == Topic::Task(task.id) => self.done = true,
            EventKind::Ended(_)
            | EventKind::Token { .. }
            | EventKind::Step(_)
            | EventKind::Task(_)
            | EventKind::Agent(_)
            | EventKind::BudgetExhausted(_)
            | EventKind::Heartbeat(_)
            | EventKind::Passivated => {}
        }
    }

    async fn snapshot(&mut self) -> Result<(), Problem> {
        let at = self.context.clock.now();
        match self.topic {
            Topic::Task(id) => {
                let task = self.context.orchestrator.task(&self.principal, id, None).await?;
                self.pending.push_back(Item { id: None, ..task_item("state", &task, at) });
                if task.state.is_ended() {
                    self.pending.push_back(Item { id: None, ..task_item("ended", &task, at) });
                    self.done = true;
                }
            }
            Topic::Agent(id) => {
                let agent = self.context.orchestrator.agent(&self.principal, id).await?;
                let data = json(&agent_body(&agent));
                self.pending.push_back(Item { id: None, event: "agent", agent: Some(id), task: None, at, data });
            }
            Topic::Agents | Topic::All => {}
        }
        Ok(())
    }

    fn close(&mut self, event: &'static str, reason: &str) {
        let data = json(&Notice { reason });
        let at = self.context.clock.now();
        self.pending.push_back(Item { id: None, event, agent: None, task: None, at, data });
        self.done = true;
    }
}

#[derive(Serialize)]
struct Notice<'a> {
    reason: &'a str,
}

#[derive(Serialize)]
struct TokenData<'a> {
    task_id: Option<Uuid>,
    step: u32,
    text: &'a str,
}

#[derive(Serialize)]
struct StepData<'a> {
    task_id: Option<Uuid>,
    #[serde(flatten)]
    step: super::view::StepBody<'a>,
}

#[derive(Serialize)]
struct StateData {
    task_id: Option<Uuid>,
    agent_id: Uuid,
    state: &'static str,
    at: At,
}

#[derive(Serialize)]
struct BudgetData<'a> {
    agent_id: Uuid,
    detail: &'a str,
}

fn json<T: Serialize>(value: &T) -> String {
    // Our own types have string keys and no failing `Serialize`: nothing to report.
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

fn task_item(event: &'static str, task: &TaskRecord, at: Timestamp) -> Item {
    Item { id: None, event, agent: Some(task.agent), task: Some(task.id), at, data: json(&task_body(task)) }
}

/// News as a client sees it; `None` for what capabilities tell each other.
fn item(event: &Event) -> Option<Item> {
    let task_id = event.task.map(|task| *task.as_uuid());
    let agent_id = *event.agent.as_uuid();
    let (name, data) = match &event.kind {
        EventKind::Token { step, text } => ("token", json(&TokenData { task_id, step: *step, text })),
        EventKind::Step(step) => {
            let task = event.task.unwrap_or_else(|| TaskId::from_uuid(Uuid::nil()));
            ("step", json(&StepData { task_id, step: step_body(task, step) }))
        }
        EventKind::Task(state) => {
            ("state", json(&StateData { task_id, agent_id, state: state.name(), at: At(event.at) }))
        }
        EventKind::Ended(task) => ("ended", json(&task_body(task))),
        EventKind::Agent(state) => {
            ("agent", json(&StateData { task_id, agent_id, state: state.name(), at: At(event.at) }))
        }
        EventKind::BudgetExhausted(detail) => ("budget", json(&BudgetData { agent_id, detail })),
        EventKind::Gap => ("gap", json(&Notice { reason: "events were lost; what follows is complete again" })),
        EventKind::Heartbeat(_) | EventKind::Passivated => return None,
    };
    Some(Item { id: Some(event.id), event: name, agent: Some(event.agent), task: event.task, at: event.at, data })
}
