//! The news of one task or agent from whichever node leads its shard.

use super::parts::{Parts, Waits};
use super::remote::{NoWatch, RemoteWatch};
use super::watcher::{gap, nobody};
use futures::StreamExt;
use octopussy_core::ids::{AgentId, ShardId};
use octopussy_core::ports::{Event, EventId, EventKind, Metric, Subscription, Topic};
use octopussy_core::problem::Problem;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a new watcher waits for a subscription that stands. After that it gets one that begins with a gap.
const SETTLED: Duration = Duration::from_secs(2);

/// Where the news come from.
enum Source {
    Here(Subscription),
    There(RemoteWatch),
}

impl Source {
    async fn next(&mut self) -> Option<Event> {
        match self {
            Self::Here(news) => news.next().await,
            Self::There(watch) => watch.next().await,
        }
    }
}

/// Follows the leader of a shard for one watcher.
pub(crate) struct Follow {
    parts: Arc<Parts>,
    topic: Topic,
    shard: ShardId,
    source: Option<Source>,
    /// The last event that was told.
    last: Option<EventId>,
    agent: AgentId,
    /// Whether the first thing to say is that events may be missing.
    gap: bool,
    waits: Waits,
}

impl Follow {
    /// A subscription that stands, or one that begins with a gap later, because no leader could be reached so soon.
    ///
    /// # Errors
    /// What the leader or this node has against it.
    pub(crate) async fn subscribe(
        parts: &Arc<Parts>,
        topic: Topic,
        shard: ShardId,
        after: Option<EventId>,
    ) -> Result<Subscription, Problem> {
        let mut follow = Self {
            parts: parts.clone(),
            topic,
            shard,
            source: None,
            last: after,
            agent: nobody(),
            gap: false,
            waits: Waits::new(),
        };
        let settled = Instant::now() + SETTLED;
        loop {
            match follow.attach().await {
                Ok(()) => break,
                Err(NoWatch::Refused(problem)) => return Err(problem),
                // It begins once there is a leader, with what that remembers or with a gap.
                Err(NoWatch::Elsewhere) if Instant::now() >= settled => break,
                Err(NoWatch::Elsewhere) => tokio::time::sleep(follow.waits.next()).await,
            }
        }
        let next = |mut follow: Self| async move { follow.next().await.map(|event| (event, follow)) };
        Ok(futures::stream::unfold(follow, next).boxed())
    }

    /// Subscribes where the shard is led now.
    async fn attach(&mut self) -> Result<(), NoWatch> {
        self.source = None;
        if self.parts.leads(self.shard) {
            let news = self.parts.here(self.topic, self.last).map_err(NoWatch::Refused)?;
            // Looked at after subscribing: a leadership that is lost from now on ends the subscription.
            if !self.parts.leads(self.shard) {
                return Err(NoWatch::Elsewhere);
            }
            self.source = Some(Source::Here(news));
            return Ok(());
        }
        let leader = self.parts.leader_elsewhere(self.shard).ok_or(NoWatch::Elsewhere)?;
        let watch = RemoteWatch::open(&self.parts, leader, self.topic, self.last).await?;
        self.source = Some(Source::There(watch));
        Ok(())
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if std::mem::take(&mut self.gap) {
                return Some(self.gap_event());
            }
            let hub = self.parts.hub.clone();
            tokio::select! {
                biased;
                event = self.advance() => if let Some(event) = event { return Some(event) },
                () = hub.closed() => return None,
            }
        }
    }

    /// The next event of the present source, or `None` after a step towards the next one.
    async fn advance(&mut self) -> Option<Event> {
        let Some(source) = &mut self.source else {
            match self.attach().await {
                Ok(()) => {
                    // Without a position nobody can say what happened before this subscription.
                    self.gap = self.last.is_none();
                }
                Err(_) => tokio::time::sleep(self.waits.next()).await,
            }
            return None;
        };
        let Some(event) = source.next().await else {
            self.source = None;
            if !self.parts.hub.is_closed() {
                tokio::time::sleep(self.waits.next()).await;
            }
            return None;
        };
        self.waits = Waits::new();
        self.agent = event.agent;
        if event.id != EventId::default() {
            self.last = Some(event.id);
        }
        Some(event)
    }

    fn gap_event(&self) -> Event {
        self.parts.observability.count(Metric::WatcherGaps, "", 1);
        let event = gap(self.topic, self.last.unwrap_or_default(), self.agent, self.parts.clock.now());
        debug_assert_eq!(event.kind, EventKind::Gap);
        event
    }
}
