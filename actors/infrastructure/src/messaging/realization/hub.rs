//! Topics that are watched, or were a moment ago. Nothing is kept of topics that nobody watches.

use super::watcher::{Watched, Watcher};
use crate::messaging::MessagingConfig;
use crate::messaging::essence::{concerns_agents, topics_of};
use futures::StreamExt;
use octopussy_core::ids::{AgentId, Epoch, ShardCount, ShardId, TaskId};
use octopussy_core::ports::{Event, EventId, EventKind, ObservabilityPort, Subscription, Topic};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::StepRecord;
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many times more of the topics of everything is remembered: thousands of tasks a second meet there.
const EVERYTHING: usize = 8;

/// The watched topics.
pub(crate) struct Hub {
    topics: RwLock<HashMap<Topic, Arc<Watched>>>,
    /// How many topics there are: publishing looks here first, so that it costs nothing while nobody watches.
    count: AtomicUsize,
    /// How many of them news of tasks can reach. The states of all agents are always watched, by the node itself; tasks that
    /// nobody watches must not pay for that.
    of_tasks: AtomicUsize,
    sequence: AtomicU64,
    epochs: Box<[AtomicU64]>,
    shards: ShardCount,
    closed: CancellationToken,
    config: MessagingConfig,
    clock: Arc<dyn Clock>,
    observability: Arc<dyn ObservabilityPort>,
}

impl Hub {
    pub(crate) fn new(
        config: MessagingConfig,
        shards: ShardCount,
        clock: Arc<dyn Clock>,
        observability: Arc<dyn ObservabilityPort>,
    ) -> Self {
        Self {
            topics: RwLock::default(),
            count: AtomicUsize::new(0),
            of_tasks: AtomicUsize::new(0),
            sequence: AtomicU64::new(0),
            epochs: shards.all().map(|_| AtomicU64::new(0)).collect(),
            shards,
            closed: CancellationToken::new(),
            config,
            clock,
            observability,
        }
    }

    /// The shard's leadership, which ids begin with.
    pub(crate) fn set_epoch(&self, shard: ShardId, epoch: Epoch) {
        if let Some(known) = self.epochs.get(usize::from(shard.0)) {
            known.store(epoch.0, Ordering::Relaxed);
        }
    }

    /// Ends the subscriptions to the tasks and agents of a shard that this node no longer leads, after what they have been
    /// sent: what is remembered here is not what the next leader tells.
    pub(crate) fn end_shard(&self, shard: ShardId) {
        if self.is_quiet() {
            return;
        }
        let mut topics = self.topics.write();
        let ended: Vec<_> = topics.extract_if(|topic, _| self.shard_of(*topic) == Some(shard)).collect();
        self.note_count(&topics);
        drop(topics);
        for (_, watched) in ended {
            watched.end();
        }
    }

    /// The shard whose leader tells the news of a topic; `None` for topics of all shards.
    pub(crate) fn shard_of(&self, topic: Topic) -> Option<ShardId> {
        match topic {
            Topic::Task(task) => Some(self.shards.shard_of_task(task)),
            Topic::Agent(agent) => Some(self.shards.shard_of(agent)),
            Topic::Agents | Topic::All => None,
        }
    }

    /// Ends when the hub is closed.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Whether the hub is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Whether nobody could be told of a task's news.
    pub(crate) fn is_quiet_for_tasks(&self) -> bool {
        self.of_tasks.load(Ordering::Acquire) == 0
    }

    pub(crate) fn is_task_watched(&self, task: TaskId) -> bool {
        !self.is_quiet_for_tasks() && self.topics.read().contains_key(&Topic::Task(task))
    }

    fn note_count(&self, topics: &HashMap<Topic, Arc<Watched>>) {
        let count = topics.len();
        self.count.store(count, Ordering::Release);
        self.of_tasks.store(count - usize::from(topics.contains_key(&Topic::Agents)), Ordering::Release);
    }

    /// Publishes to every topic the event belongs to and that is watched.
    pub(crate) fn publish(&self, agent: AgentId, task: Option<TaskId>, kind: EventKind) {
        let quiet = if concerns_agents(&kind) { self.is_quiet() } else { self.is_quiet_for_tasks() };
        if quiet {
            return;
        }
        let topics = self.topics.read();
        let mut event = None;
        for topic in topics_of(agent, task, &kind).into_iter().flatten() {
            let Some(watched) = topics.get(&topic) else { continue };
            watched.know(agent);
            let event = event.get_or_insert_with(|| Event {
                id: self.next_id(agent),
                at: self.clock.now(),
                agent,
                task,
                kind: kind.clone(),
            });
            watched.push(event.clone());
        }
    }

    /// Publishes a step, whose agent only its watched topic knows.
    pub(crate) fn publish_step(&self, task: TaskId, step: &Arc<StepRecord>) {
        if self.is_quiet_for_tasks() {
            return;
        }
        let topics = self.topics.read();
        if let Some(watched) = topics.get(&Topic::Task(task)) {
            let agent = watched.agent();
            let id = EventId { epoch: self.epoch(self.shards.shard_of_task(task)), sequence: self.next_sequence() };
            let kind = EventKind::Step(step.clone());
            watched.push(Event { id, at: self.clock.now(), agent, task: Some(task), kind });
        }
    }

    fn next_id(&self, agent: AgentId) -> EventId {
        EventId { epoch: self.epoch(self.shards.shard_of(agent)), sequence: self.next_sequence() }
    }

    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn epoch(&self, shard: ShardId) -> Epoch {
        Epoch(self.epochs.get(usize::from(shard.0)).map_or(0, |epoch| epoch.load(Ordering::Relaxed)))
    }

    /// Begins to watch. From this moment on nothing is missed; with an id that is not remembered, a gap comes first.
    pub(crate) fn subscribe(
        &self,
        topic: Topic,
        agent: Option<AgentId>,
        after: Option<EventId>,
    ) -> Result<Subscription, Problem> {
        if self.closed.is_cancelled() {
            return Err(Problem::new(Code::NotReady, "the node is stopping").retry_after(Duration::from_secs(1)));
        }
        let watched = self.watch(topic, agent)?;
        let watcher =
            Watcher::new(watched, topic, after, self.closed.clone(), self.clock.clone(), self.observability.clone());
        Ok(futures::stream::unfold(watcher, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((event, watcher))
        })
        .boxed())
    }

    /// The topic with one more watcher.
    fn watch(&self, topic: Topic, agent: Option<AgentId>) -> Result<Arc<Watched>, Problem> {
        let mut topics = self.topics.write();
        if !topics.contains_key(&topic) && topics.len() >= self.config.watched_topics {
            self.forget(&mut topics, self.clock.now());
            if topics.len() >= self.config.watched_topics {
                let detail = format!("{} topics are being watched, which is this node's bound", topics.len());
                return Err(Problem::new(Code::Overloaded, detail).retry_after(Duration::from_secs(5)));
            }
        }
        let remembered = match topic {
            Topic::Task(_) | Topic::Agent(_) => self.config.remembered_events,
            Topic::Agents | Topic::All => self.config.remembered_events * EVERYTHING,
        };
        let watched = topics.entry(topic).or_insert_with(|| Arc::new(Watched::new(remembered)));
        if let Some(agent) = agent {
            watched.know(agent);
        }
        watched.enter();
        self.note_count(&topics);
        Ok(topics[&topic].clone())
    }

    /// Forgets topics whose last watcher has been gone for long enough.
    pub(crate) fn sweep(&self) {
        if !self.is_quiet() {
            let mut topics = self.topics.write();
            self.forget(&mut topics, self.clock.now());
            self.note_count(&topics);
        }
    }

    fn forget(&self, topics: &mut HashMap<Topic, Arc<Watched>>, now: Timestamp) {
        let linger = Duration::from_secs(self.config.linger_seconds);
        topics.retain(|_, watched| !watched.is_forgotten(now, linger));
    }

    /// Ends every subscription after what it has been sent.
    pub(crate) fn close(&self) {
        self.closed.cancel();
        for watched in self.topics.read().values() {
            watched.wake();
        }
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
