//! A watched topic and the watchers of it.

use crate::messaging::essence::{Read, TopicLog};
use octopussy_core::ids::AgentId;
use octopussy_core::ports::{Event, EventId, EventKind, Metric, ObservabilityPort, Topic};
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A topic with at least one watcher, or with one a moment ago.
pub(super) struct Watched {
    log: Mutex<TopicLog>,
    news: Notify,
    watchers: AtomicUsize,
    /// When the last watcher left.
    left_at: AtomicU64,
    /// Whose task it is, once that is known; agents' topics know from the start.
    agent: OnceLock<AgentId>,
    /// Whether nothing more will be told of it here.
    ended: AtomicBool,
}

impl Watched {
    /// A topic that remembers so many events, without watchers.
    pub(super) fn new(remembered: usize) -> Self {
        Self {
            log: Mutex::new(TopicLog::new(remembered)),
            news: Notify::new(),
            watchers: AtomicUsize::new(0),
            left_at: AtomicU64::new(0),
            agent: OnceLock::new(),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn push(&self, event: Event) {
        self.log.lock().push(event);
        self.news.notify_waiters();
    }

    /// Lets all watchers look.
    pub(super) fn wake(&self) {
        self.news.notify_waiters();
    }

    /// Ends the watchers after what they have been sent.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.wake();
    }

    /// One more watcher.
    pub(super) fn enter(&self) {
        self.watchers.fetch_add(1, Ordering::AcqRel);
    }

    /// Whose agent it concerns, where that was not known before.
    pub(super) fn know(&self, agent: AgentId) {
        self.agent.get_or_init(|| agent);
    }

    /// Whose agent it concerns, or nobody's.
    pub(super) fn agent(&self) -> AgentId {
        self.agent.get().copied().unwrap_or(nobody())
    }

    /// Whether its last watcher has been gone for `linger`.
    pub(super) fn is_forgotten(&self, now: Timestamp, linger: Duration) -> bool {
        self.watchers.load(Ordering::Acquire) == 0
            && now.since(Timestamp::from_millis(self.left_at.load(Ordering::Acquire))) >= linger
    }
}

/// What stands for the agent where none is known.
pub(super) fn nobody() -> AgentId {
    AgentId::from_uuid(uuid::Uuid::nil())
}

/// A watcher at its position in a topic.
pub(super) struct Watcher {
    watched: Arc<Watched>,
    position: u64,
    /// Whether the first thing to say is that events are missing.
    gap: bool,
    topic: Topic,
    closed: CancellationToken,
    clock: Arc<dyn Clock>,
    observability: Arc<dyn ObservabilityPort>,
}

impl Watcher {
    /// A watcher behind the event `after`, or behind everything that has happened. It has been counted with
    /// [`Watched::enter`].
    pub(super) fn new(
        watched: Arc<Watched>,
        topic: Topic,
        after: Option<EventId>,
        closed: CancellationToken,
        clock: Arc<dyn Clock>,
        observability: Arc<dyn ObservabilityPort>,
    ) -> Self {
        let (position, gap) = {
            let log = watched.log.lock();
            match after.map(|id| log.position_after(id)) {
                None => (log.end(), false),
                Some(Some(position)) => (position, false),
                Some(None) => (log.end(), true),
            }
        };
        Self { watched, position, gap, topic, closed, clock, observability }
    }

    pub(super) async fn next(&mut self) -> Option<Event> {
        let watched = self.watched.clone();
        loop {
            // Registered before looking, so that news between looking and waiting wakes it.
            let news = watched.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if std::mem::take(&mut self.gap) {
                let id = watched.log.lock().id_before(self.position);
                return Some(self.gap_event(id));
            }
            let read = watched.log.lock().read(self.position);
            match read {
                Read::Event(event) => {
                    self.position += 1;
                    return Some(event);
                }
                Read::Lost(first) => {
                    self.position = first;
                    return Some(self.gap_event(EventId::default()));
                }
                Read::Nothing if self.closed.is_cancelled() || watched.ended.load(Ordering::Acquire) => return None,
                Read::Nothing => news.await,
            }
        }
    }

    fn gap_event(&self, id: EventId) -> Event {
        self.observability.count(Metric::WatcherGaps, "", 1);
        gap(self.topic, id, self.watched.agent(), self.clock.now())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watched.left_at.store(self.clock.now().as_millis(), Ordering::Release);
        self.watched.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The news that news is missing.
pub(super) fn gap(topic: Topic, id: EventId, known: AgentId, at: Timestamp) -> Event {
    let (agent, task) = match topic {
        Topic::Task(task) => (known, Some(task)),
        Topic::Agent(agent) => (agent, None),
        Topic::Agents | Topic::All => (known, None),
    };
    Event { id, at, agent, task, kind: EventKind::Gap }
}
