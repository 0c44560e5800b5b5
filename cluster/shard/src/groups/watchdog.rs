//! Leaderships under which nothing is committed: told, and given away. A leader whose followers answer its heartbeats holds its lease
//! and is not replaced, whatever it is that its entries wait for.

use super::closing::heir;
use super::core::Core;
use super::group::Group;
use super::reconciler::HAND_OVER_LIMIT;
use openraft::async_runtime::watch::WatchReceiver;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// After how many times the time at which it is told the leadership is given away.
const GIVE_AWAY_AFTER: u32 = 3;

/// What is seen of a group that this node speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    term: u64,
    /// The index of the last entry in its log, and of the last that is committed.
    last: u64,
    committed: u64,
}

/// What is to be done about a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing.
    Fine,
    /// It is to be told.
    Stuck,
    /// Another node is to lead it. Said once, and again after as long.
    GiveAway,
}

/// What is remembered of one group.
#[derive(Debug, Clone, Copy)]
struct Watch {
    seen: Seen,
    /// Since when entries have waited and none has been committed.
    since: Option<Instant>,
    /// When the leadership was last given away.
    given: Option<Instant>,
}

impl Watch {
    const fn begin(seen: Seen) -> Self {
        Self { seen, since: None, given: None }
    }

    /// Takes in what is seen now.
    fn look(&mut self, seen: Seen, stuck_after: Duration, now: Instant) -> Verdict {
        let moved = (seen.term, seen.committed) != (self.seen.term, self.seen.committed);
        if moved || seen.last <= seen.committed {
            *self = Self::begin(seen);
        }
        self.seen = seen;
        if seen.last <= seen.committed {
            return Verdict::Fine;
        }
        let since = *self.since.get_or_insert(now);
        let given = self.given.unwrap_or(since);
        if now.saturating_duration_since(given) >= stuck_after * GIVE_AWAY_AFTER {
            self.given = Some(now);
            return Verdict::GiveAway;
        }
        if now.saturating_duration_since(since) >= stuck_after { Verdict::Stuck } else { Verdict::Fine }
    }
}

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let stuck_after = core.context.config.stuck_after;
    let mut look = tokio::time::interval((stuck_after / 4).max(Duration::from_millis(10)));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watched = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            _ = look.tick() => {}
        }
        let now = Instant::now();
        let groups = core.registry.all();
        watched.retain(|id, _| groups.iter().any(|group| group.id() == *id));
        for group in groups {
            let Some(seen) = seen(&group) else {
                watched.remove(&group.id());
                group.note_stuck(false);
                continue;
            };
            let watch = watched.entry(group.id()).or_insert_with(|| Watch::begin(seen));
            match watch.look(seen, stuck_after, now) {
                Verdict::Fine => {
                    group.note_stuck(false);
                }
                Verdict::Stuck => tell(&core, &group, seen),
                Verdict::GiveAway => {
                    tell(&core, &group, seen);
                    give_away(&core, &group);
                }
            }
        }
    }
}

/// What is seen of a group; nothing when this node does not speak for it.
fn seen(group: &Group) -> Option<Seen> {
    let term = group.raft().server_metrics().borrow_watched().vote.leader_id.term;
    let data = group.raft().data_metrics();
    let data = data.borrow_watched();
    let last = data.last_log.map_or(0, |id| id.index);
    let committed = data.cluster_committed.map_or(0, |id| id.index);
    group.speaks().then_some(Seen { term, last, committed })
}

fn tell(core: &Core, group: &Group, seen: Seen) {
    if group.note_stuck(true) {
        core.context.counters.stuck();
        let Seen { last, committed, .. } = seen;
        tracing::warn!(group = %group.id(), last, committed, "this node leads the group and commits nothing");
    }
}

fn give_away(core: &Arc<Core>, group: &Arc<Group>) {
    let Some(to) = heir(core, group) else { return };
    if !group.claim() {
        return;
    }
    tracing::warn!(group = %group.id(), %to, "nothing is committed: another is to lead the group");
    let (core, group) = (Arc::clone(core), Arc::clone(group));
    core.clone().tasks.spawn(async move {
        tokio::select! {
            _taken = group.hand_over(to, HAND_OVER_LIMIT) => {}
            () = core.stopping.cancelled() => {}
        }
        group.release();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AFTER: Duration = Duration::from_secs(5);

    const fn at(last: u64, committed: u64) -> Seen {
        Seen { term: 3, last, committed }
    }

    #[test]
    fn entries_that_wait_for_long_are_told_and_then_given_away_again_and_again() {
        let (start, mut watch) = (Instant::now(), Watch::begin(at(7, 7)));
        let mut look = |seen, seconds| watch.look(seen, AFTER, start + Duration::from_secs(seconds));
        assert_eq!(look(at(7, 7), 100), Verdict::Fine, "nothing waits");
        assert_eq!(look(at(8, 7), 101), Verdict::Fine);
        assert_eq!(look(at(9, 7), 105), Verdict::Fine);
        assert_eq!(look(at(9, 7), 106), Verdict::Stuck);
        assert_eq!(look(at(9, 7), 116), Verdict::GiveAway);
        assert_eq!(look(at(9, 7), 117), Verdict::Stuck, "it takes a while");
        assert_eq!(look(at(9, 7), 131), Verdict::GiveAway);
        assert_eq!(look(at(9, 8), 132), Verdict::Fine, "one was committed");
        assert_eq!(look(at(9, 8), 136), Verdict::Fine);
        assert_eq!(look(at(9, 8), 137), Verdict::Stuck);
        assert_eq!(look(Seen { term: 4, ..at(9, 8) }, 138), Verdict::Fine, "another leadership begins anew");
    }

    proptest! {
        #[test]
        fn a_group_that_moves_is_never_given_away(waits in proptest::collection::vec(0_u64..5_000, 1..100)) {
            let (mut now, mut watch) = (Instant::now(), Watch::begin(at(0, 0)));
            for (committed, wait) in (0_u64..).zip(waits) {
                now += Duration::from_millis(wait);
                prop_assert_eq!(watch.look(at(committed + 4, committed), AFTER, now), Verdict::Fine);
            }
        }
    }
}
