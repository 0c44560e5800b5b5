//! Elections without waiting for a timeout, when a leader is seen to go.

use super::core::Core;
use super::group::Group;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{PeerEvent, PeerObserver, Reach};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

/// How often a follower whose leader has gone asks for votes. It is refused without a message while the leader's lease
/// lasts.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// By how much later each replica begins than the one before it, so that candidates do not split the votes.
const STAGGER: Duration = Duration::from_millis(30);

/// How long it goes on asking after the longest time an election may wait by itself.
const ASK_LONGER: Duration = Duration::from_secs(2);

/// How often leaders that are down are looked for: what the loss of a connection has not told.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many connections may come and go before they are looked at; others are found by looking.
const EVENTS: usize = 256;

/// Is told of connections by the mesh.
pub(super) struct Ears {
    events: mpsc::Sender<PeerEvent>,
}

impl PeerObserver for Ears {
    fn on_peer(&self, event: PeerEvent) {
        // Dropped when too many are waiting: what is down is found by looking.
        let _full = self.events.try_send(event);
    }
}

/// What is told, and who is to be told.
pub(super) fn listen() -> (Arc<Ears>, mpsc::Receiver<PeerEvent>) {
    let (events, told) = mpsc::channel(EVENTS);
    (Arc::new(Ears { events }), told)
}

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>, mut told: mpsc::Receiver<PeerEvent>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            event = told.recv() => match event {
                Some(PeerEvent::Closed(peer)) => gone(&core, peer.node),
                Some(PeerEvent::Connected(peer)) => back(&core, peer.node).await,
                None => return,
            },
            _ = look.tick() => look_around(&core),
        }
    }
}

/// A connection is back: what waits for it need not wait longer.
async fn back(core: &Core, peer: NodeId) {
    core.context.clocks.met(peer);
    let led = core.registry.all().into_iter().filter(|group| group.leads());
    // All of them at once: one that is slow to answer keeps none of the others waiting.
    let told = led.map(|group| async move { drop(group.raft().trigger().reset_backoff([peer]).await) });
    futures::future::join_all(told).await;
}

fn look_around(core: &Arc<Core>) {
    for group in core.registry.all() {
        if let Some(leader) = group.leader()
            && leader != core.me()
            && core.reach.reach(leader) == Reach::Down
        {
            stand(core, &group, leader);
        }
    }
}

fn gone(core: &Arc<Core>, peer: NodeId) {
    for group in core.registry.all() {
        if group.leader() == Some(peer) {
            stand(core, &group, peer);
        }
    }
}

/// Lets this node's replica stand for election until there is a leader again.
fn stand(core: &Arc<Core>, group: &Arc<Group>, lost: NodeId) {
    let voters = group.voters();
    if !voters.contains(&core.me()) || !group.begin_standing() {
        return;
    }
    let state = core.control();
    let place = group.id().shard().and_then(|shard| state.place(shard));
    let preferred = place.map_or(&[][..], |place| &place.current.voters);
    let rank = rank(preferred, &voters, core.me(), lost);
    let (core, group) = (Arc::downgrade(core), Arc::clone(group));
    tokio::spawn(async move {
        stand_until_led(&core, &group, lost, rank).await;
        group.end_standing();
    });
}

async fn stand_until_led(core: &Weak<Core>, group: &Group, lost: NodeId, rank: u32) {
    tokio::time::sleep(STAGGER * rank).await;
    let end = Instant::now() + group.context().config.timings.election_max + ASK_LONGER;
    while Instant::now() < end && !group.stopping().is_cancelled() {
        let Some(core) = core.upgrade() else { return };
        let leader = group.leader();
        let led = leader.is_some_and(|leader| leader != lost);
        // A leader that is connected again, and not down, makes itself heard.
        let back = core.mesh.is_connected(lost) && core.reach.reach(lost) != Reach::Down;
        if led || back || group.leads() {
            return;
        }
        drop(core);
        // Without a leader, but with a vote given to somebody: that one is given a moment.
        if leader.is_none() {
            tokio::time::sleep(ASK_EVERY * (2 + rank)).await;
            if group.leader().is_some() {
                continue;
            }
        }
        if !group.may_stand() {
            tokio::time::sleep(ASK_EVERY).await;
            continue;
        }
        if group.raft().trigger().elect(true).await.is_err() {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// How many replicas stand before this one: those that the table names before it, then by id.
fn rank(preferred: &[NodeId], voters: &[NodeId], me: NodeId, lost: NodeId) -> u32 {
    let place = |node: &NodeId| (preferred.iter().position(|other| other == node).unwrap_or(usize::MAX), *node);
    let before = voters.iter().filter(|node| **node != lost && place(node) < place(&me)).count();
    u32::try_from(before).unwrap_or(u32::MAX).min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_replica_stands_first() {
        let [a, b, c] = [1, 2, 3].map(|number| NodeId([number; 16]));
        let preferred = [c, b, a];
        let voters = [a, b, c];
        assert_eq!(rank(&preferred, &voters, b, c), 0, "of those that are left it is named first");
        assert_eq!(rank(&preferred, &voters, a, c), 1);
        assert_eq!(rank(&[], &voters, a, c), 0, "without a table by id");
    }
}
