//! The news of all agents or all tasks: this node's and every other's, as they come.

use super::parts::{Parts, Waits};
use super::remote::{NoWatch, RemoteWatch};
use super::watcher::{gap, nobody};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::{BoxStream, SelectAll, unfold};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Event, EventId, Metric, Subscription, Topic};
use octopussy_core::problem::Problem;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How often nodes that have been connected meanwhile are looked for.
const LOOK: Duration = Duration::from_secs(1);

enum Item {
    Event(Event),
    /// This node tells nothing more.
    Closed,
    /// Another one is not connected any more.
    Left(NodeId),
    Look,
}

/// The merged news for one watcher.
pub(crate) struct Merge {
    parts: Arc<Parts>,
    topic: Topic,
    all: SelectAll<BoxStream<'static, Item>>,
    followed: HashSet<NodeId>,
    /// Whether the first thing to say is that events may be missing.
    gap: bool,
}

impl Merge {
    /// A subscription to all nodes that are connected. An event id is the position in one node's news: with other nodes
    /// around, what was missed of theirs is not known, and the subscription begins with a gap.
    pub(crate) async fn subscribe(
        parts: &Arc<Parts>,
        topic: Topic,
        after: Option<EventId>,
    ) -> Result<Subscription, Problem> {
        let peers: Vec<NodeId> = parts.mesh.peers().iter().map(|peer| peer.incarnation.node).collect();
        let alone = peers.is_empty();
        let here = parts.here(topic, after.filter(|_| alone))?;
        let mut merge = Self {
            parts: parts.clone(),
            topic,
            all: SelectAll::new(),
            followed: HashSet::new(),
            gap: after.is_some() && !alone,
        };
        let closed = futures::stream::once(async { Item::Closed });
        merge.all.push(here.map(Item::Event).chain(closed).boxed());
        merge
            .all
            .push(unfold((), |()| async { Some((tokio::time::sleep(LOOK).await, ())) }).map(|()| Item::Look).boxed());
        let open = |node| async move { (node, RemoteWatch::open(parts, node, topic, None).await.ok()) };
        for (node, watch) in join_all(peers.into_iter().map(open)).await {
            merge.follow(node, watch);
        }
        let next = |mut merge: Self| async move { merge.next().await.map(|event| (event, merge)) };
        Ok(unfold(merge, next).boxed())
    }

    fn follow(&mut self, node: NodeId, watch: Option<RemoteWatch>) {
        self.followed.insert(node);
        let peer = Peer { parts: self.parts.clone(), topic: self.topic, node, watch, last: None, waits: Waits::new() };
        let next = |state: Option<Peer>| async move {
            let mut peer = state?;
            match peer.next().await {
                Some(event) => Some((Item::Event(event), Some(peer))),
                None => Some((Item::Left(peer.node), None)),
            }
        };
        self.all.push(unfold(Some(peer), next).boxed());
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if std::mem::take(&mut self.gap) {
                return Some(gap_event(&self.parts, self.topic));
            }
            match self.all.next().await? {
                Item::Event(event) => return Some(event),
                Item::Closed => return None,
                Item::Left(node) => {
                    self.followed.remove(&node);
                }
                Item::Look => {
                    for peer in self.parts.mesh.peers() {
                        if !self.followed.contains(&peer.incarnation.node) {
                            self.follow(peer.incarnation.node, None);
                        }
                    }
                }
            }
        }
    }
}

/// The news of one other node.
struct Peer {
    parts: Arc<Parts>,
    topic: Topic,
    node: NodeId,
    watch: Option<RemoteWatch>,
    last: Option<EventId>,
    waits: Waits,
}

impl Peer {
    /// The next event; `None` when the node is no longer connected.
    async fn next(&mut self) -> Option<Event> {
        loop {
            match &mut self.watch {
                Some(watch) => match watch.next().await {
                    Some(event) => {
                        self.waits = Waits::new();
                        if event.id != EventId::default() {
                            self.last = Some(event.id);
                        }
                        return Some(event);
                    }
                    None => self.watch = None,
                },
                None if !self.parts.mesh.is_connected(self.node) => return None,
                None => match RemoteWatch::open(&self.parts, self.node, self.topic, self.last).await {
                    Ok(watch) => {
                        self.watch = Some(watch);
                        if self.last.is_none() {
                            return Some(gap_event(&self.parts, self.topic));
                        }
                    }
                    Err(NoWatch::Elsewhere | NoWatch::Refused(_)) => tokio::time::sleep(self.waits.next()).await,
                },
            }
        }
    }
}

fn gap_event(parts: &Parts, topic: Topic) -> Event {
    parts.observability.count(Metric::WatcherGaps, "", 1);
    gap(topic, EventId::default(), nobody(), parts.clock.now())
}
