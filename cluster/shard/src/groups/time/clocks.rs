//! What the members' clocks show, as this node has measured them.

use super::agreement::{Agreement, agree};
use super::stamper::Source;
use crate::groups::suspension::Slept;
use octopussy_core::ids::NodeId;
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// By how much two clocks may differ and both be right. A node whose clock differs by more from that of a majority does not
/// lead where another can.
pub const MAX_SKEW: Duration = Duration::from_secs(30);

/// The difference of clocks from which on it is told.
const TOLD_SKEW: Duration = Duration::from_secs(1);

/// How long what was measured counts.
const FRESH: Duration = Duration::from_secs(60);

/// A clock, as it was once.
#[derive(Debug, Clone, Copy)]
struct Seen {
    clock: Timestamp,
    steady: Duration,
}

impl Seen {
    /// What it shows now.
    fn at(self, steady: Duration) -> Timestamp {
        self.clock.plus(steady.saturating_sub(self.steady))
    }
}

/// What came of asking a peer.
#[derive(Debug, Clone, Copy)]
struct Asked {
    steady: Duration,
    /// What it showed then; nothing when it did not answer.
    clock: Option<Timestamp>,
}

impl Asked {
    fn seen(self) -> Option<Seen> {
        self.clock.map(|clock| Seen { clock, steady: self.steady })
    }
}

/// Where the time comes from, with the moment at which that was found.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// Nobody has been asked yet who could be.
    Waiting,
    Majority(Seen),
    Undisputed,
    Disputed,
}

/// How the clocks of the members differ, as a node has measured it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClockReport {
    /// By how many milliseconds each member's clock is ahead of this node's (behind when negative), for those measured.
    pub ahead: BTreeMap<NodeId, i64>,
    /// By how many milliseconds this node's clock is ahead of that of a majority, where there is one.
    pub own_ahead: Option<i64>,
    /// Whether clocks differ by more than 30 s without a majority that tells which are right.
    pub disputed: bool,
    /// By how far this node's clock was last found to have leaped, while that is not followed.
    pub leap: Option<Duration>,
}

impl ClockReport {
    /// The greatest difference to this node's clock, in milliseconds.
    #[must_use]
    pub fn greatest(&self) -> u64 {
        self.ahead.values().map(|ahead| ahead.unsigned_abs()).max().unwrap_or(0)
    }

    /// Whether this node's clock differs from that of a majority by more than what is allowed.
    #[must_use]
    pub fn is_outlier(&self) -> bool {
        self.own_ahead.is_some_and(is_too_much)
    }
}

/// The members' clocks.
pub(crate) struct Clocks {
    clock: Arc<dyn Clock>,
    base: Instant,
    asked: Mutex<BTreeMap<NodeId, Asked>>,
    verdict: RwLock<Verdict>,
    /// By how much this node's clock was last found to have leaped, and when.
    leap: Mutex<Option<(Duration, Duration)>>,
    told: Mutex<Told>,
}

/// What has been said already, so that it is said once.
#[derive(Default)]
struct Told {
    skewed: BTreeMap<NodeId, bool>,
    outlier: bool,
}

impl Clocks {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            base: Instant::now(),
            asked: Mutex::default(),
            verdict: RwLock::new(Verdict::Waiting),
            leap: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// What this node's clock shows.
    pub(crate) fn own(&self) -> Timestamp {
        self.clock.now()
    }

    /// A clock that nobody sets, and that goes on while the machine is suspended.
    pub(crate) fn steady(&self) -> Duration {
        self.base.elapsed() + Slept::now().duration()
    }

    /// Where a leader takes the time from now.
    pub(in crate::groups) fn source(&self) -> Source {
        #[cfg(test)]
        if crate::tests::sim::is_credulous() {
            return Source::Majority(self.own());
        }
        match *self.verdict.read() {
            Verdict::Majority(seen) => {
                let majority = seen.at(self.steady());
                let own = self.own();
                // This node's own clock is the finer one while it agrees.
                let agrees = apart(own, majority) <= MAX_SKEW;
                Source::Majority(if agrees { own } else { majority })
            }
            Verdict::Undisputed => Source::Own(self.own()),
            Verdict::Waiting | Verdict::Disputed => Source::None,
        }
    }

    /// A peer has connected, who may know better than this node's clock: until it has been asked, that is not believed.
    pub(in crate::groups) fn met(&self, peer: NodeId) {
        let mut verdict = self.verdict.write();
        if matches!(*verdict, Verdict::Undisputed) && !self.asked.lock().contains_key(&peer) {
            *verdict = Verdict::Waiting;
        }
    }

    /// Takes in what a peer's clock showed half of `rtt` ago; nothing when it did not answer, which leaves what it showed
    /// before.
    pub(super) fn take_in(&self, peer: NodeId, shows: Option<Timestamp>, rtt: Duration) {
        let steady = self.steady();
        let mut asked = self.asked.lock();
        match shows {
            Some(shows) => {
                asked.insert(peer, Asked { steady, clock: Some(shows.plus(rtt / 2)) });
            }
            None => {
                asked.entry(peer).or_insert(Asked { steady, clock: None });
            }
        }
    }

    /// Of these peers those whose clocks were not measured within `age`.
    pub(super) fn unmeasured(&self, peers: Vec<NodeId>, age: Duration) -> Vec<NodeId> {
        let (asked, steady) = (self.asked.lock(), self.steady());
        let old = |peer: &NodeId| asked.get(peer).is_none_or(|asked| steady.saturating_sub(asked.steady) >= age);
        peers.into_iter().filter(old).collect()
    }

    /// Judges anew, in a cluster of these members, of which some are connected. `early`: this node has just started.
    pub(in crate::groups) fn judge(&self, members: &[NodeId], connected: &[NodeId], early: bool) {
        let steady = self.steady();
        let (others, unasked) = {
            let mut asked = self.asked.lock();
            asked.retain(|peer, asked| members.contains(peer) && steady.saturating_sub(asked.steady) < FRESH);
            let clocks = asked.iter().filter_map(|(peer, asked)| Some((*peer, asked.seen()?.at(steady))));
            let others: BTreeMap<NodeId, Timestamp> = clocks.collect();
            (others, connected.iter().any(|peer| !asked.contains_key(peer)))
        };
        let waiting = unasked || (early && others.is_empty());
        let own = self.own();
        let clocks: Vec<Timestamp> = others.values().copied().collect();
        let verdict = match agree(own, &clocks, members.len()) {
            // Of a node alone nobody else knows better.
            Agreement::Majority(_) if members.len() <= 1 => Verdict::Undisputed,
            Agreement::Majority(clock) => Verdict::Majority(Seen { clock, steady }),
            Agreement::Undisputed | Agreement::Disputed if waiting => Verdict::Waiting,
            Agreement::Undisputed => Verdict::Undisputed,
            Agreement::Disputed => Verdict::Disputed,
        };
        *self.verdict.write() = verdict;
        self.tell(own, &others);
    }

    fn tell(&self, own: Timestamp, others: &BTreeMap<NodeId, Timestamp>) {
        let mut told = self.told.lock();
        for (peer, clock) in others {
            let skewed = apart(own, *clock) >= TOLD_SKEW;
            if told.skewed.insert(*peer, skewed).unwrap_or(false) != skewed && skewed {
                tracing::warn!(%peer, ahead_ms = ahead(*clock, own), "this node's clock and a member's differ");
            }
        }
        let outlier = self.is_outlier();
        if outlier && !told.outlier {
            tracing::error!(
                "this node's clock differs from that of a majority of the members by more than {} s: it gives away what it \
                 leads until the clock is right",
                MAX_SKEW.as_secs()
            );
        }
        told.outlier = outlier;
    }

    /// Notes that this node's clock was found to have leaped, if it was.
    pub(in crate::groups) fn note_leap(&self, leap: Option<Duration>) {
        let Some(leap) = leap else { return };
        let steady = self.steady();
        let before = self.leap.lock().replace((leap, steady));
        if before.is_none_or(|(_, noted)| steady.saturating_sub(noted) >= FRESH) {
            tracing::error!(
                seconds = leap.as_secs(),
                "this node's clock was set by so much while the node ran; its tasks go on by the time that has passed. If the \
                 clock is right now, restart the node"
            );
        }
    }

    /// Whether this node's clock differs too much from that of a majority for it to lead.
    pub(crate) fn is_outlier(&self) -> bool {
        self.own_ahead().is_some_and(is_too_much)
    }

    /// Whether a peer's clock differs too much from that of a majority for it to be given a leadership.
    pub(crate) fn is_skewed(&self, peer: NodeId) -> bool {
        let Verdict::Majority(majority) = *self.verdict.read() else { return false };
        let Some(seen) = self.asked.lock().get(&peer).and_then(|asked| asked.seen()) else { return false };
        let steady = self.steady();
        apart(seen.at(steady), majority.at(steady)) > MAX_SKEW
    }

    /// How the clocks differ.
    pub(crate) fn report(&self) -> ClockReport {
        let (own, steady) = (self.own(), self.steady());
        let measured = |(peer, asked): (&NodeId, &Asked)| Some((*peer, ahead(asked.seen()?.at(steady), own)));
        ClockReport {
            ahead: self.asked.lock().iter().filter_map(measured).collect(),
            own_ahead: self.own_ahead(),
            disputed: matches!(*self.verdict.read(), Verdict::Disputed),
            leap: self.leap.lock().filter(|(_, noted)| steady.saturating_sub(*noted) < FRESH).map(|(leap, _)| leap),
        }
    }

    fn own_ahead(&self) -> Option<i64> {
        match *self.verdict.read() {
            Verdict::Majority(majority) => Some(ahead(self.own(), majority.at(self.steady()))),
            Verdict::Waiting | Verdict::Undisputed | Verdict::Disputed => None,
        }
    }
}

fn is_too_much(ahead: i64) -> bool {
    u128::from(ahead.unsigned_abs()) > MAX_SKEW.as_millis()
}

fn apart(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}

/// By how many milliseconds `a` is after `b`.
fn ahead(a: Timestamp, b: Timestamp) -> i64 {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    millis(a.since(b)) - millis(b.since(a))
}
