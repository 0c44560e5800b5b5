//! What the mesh counts.

use crate::link::Link;
use crate::refusal::Refusal;
use octopussy_core::ports::{Lane, MeshError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($(#[$doc:meta])* $counters:ident => $snapshot:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $snapshot { $($(#[$field_doc])* pub $field: u64,)* }

        #[derive(Debug, Default)]
        pub(crate) struct $counters { $(pub(crate) $field: Counter,)* }

        impl $counters {
            fn snapshot(&self) -> $snapshot { $snapshot { $($field: self.$field.get(),)* } }
        }
    };
}

counters! {
    /// What one lane has carried, with all peers together, since the mesh started.
    LaneCounters => LaneMetrics {
        /// Requests this node made, refused ones included.
        calls,
        /// Requests of peers that this node served or refused.
        served,
        /// Requests and answers written.
        sent_frames,
        /// Requests and answers read.
        received_frames,
        /// Bytes of requests and answers written.
        sent_bytes,
        /// Bytes of requests and answers read.
        received_bytes,
        /// Requests that a peer refused.
        refused,
        /// Requests of peers that this node refused.
        refusals,
        /// Requests without an answer in time.
        timeouts,
        /// Requests whose connection was lost, or whose answer could not travel.
        lost,
        /// Requests that found the window and the queue in front of it full.
        congested,
        /// Requests that were longer than a frame may be.
        too_large,
        /// Requests to nodes that were not connected.
        not_connected,
    }
}

counters! {
    /// What was carried outside of the lanes since the mesh started.
    OtherCounters => OtherMetrics {
        /// Datagrams sent.
        datagrams_sent,
        /// Datagrams received.
        datagrams_received,
        /// Datagrams that were dropped: too long for the way, or above a peer's rate.
        datagrams_dropped,
        /// One-way messages sent.
        gossip_sent,
        /// One-way messages received.
        gossip_received,
        /// One-way messages dropped: too many under way, above a peer's rate, or broken off.
        gossip_dropped,
        /// Streams opened here.
        streams_opened,
        /// Streams opened by peers.
        streams_accepted,
        /// Streams of peers that were refused.
        streams_refused,
        /// Connections established.
        connected,
        /// Connections closed or lost.
        closed,
        /// Attempts to connect, one for each address that was tried.
        dials,
        /// Rounds of dialing with a node that was connected, or dialed in vain, before.
        redials,
        /// Attempts to connect that failed.
        dials_failed,
        /// Handshakes of others that failed, mostly for a foreign certificate.
        handshakes_failed,
        /// Requests to join that were carried to the handler.
        joins_served,
        /// Requests to join that were refused before that.
        joins_refused,
    }
}

/// A snapshot of all counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshMetrics {
    /// By lane.
    pub lanes: Vec<(Lane, LaneMetrics)>,
    /// How many requests of this node wait for their answers now, by lane.
    pub in_flight: Vec<(Lane, u64)>,
    /// How many nodes are connected now.
    pub peers: u64,
    /// Everything else.
    pub other: OtherMetrics,
    /// How often this node refused a connection, by reason.
    pub refused: Vec<(Refusal, u64)>,
    /// How often another node refused a connection with this one, by reason.
    pub refused_by_peers: Vec<(Refusal, u64)>,
}

impl MeshMetrics {
    /// The counters of one lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> LaneMetrics {
        self.lanes.iter().find(|(each, _)| *each == lane).map(|(_, metrics)| *metrics).unwrap_or_default()
    }

    /// How often this node refused a connection for that reason.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        count(&self.refused, refusal)
    }

    /// How often another node refused a connection with this one for that reason.
    #[must_use]
    pub fn refused_by_peers(&self, refusal: Refusal) -> u64 {
        count(&self.refused_by_peers, refusal)
    }
}

fn count(counts: &[(Refusal, u64)], refusal: Refusal) -> u64 {
    counts.iter().find(|(each, _)| *each == refusal).map_or(0, |(_, count)| *count)
}

/// All counters of a mesh.
#[derive(Debug)]
pub(crate) struct Metrics {
    lanes: Vec<LaneCounters>,
    pub(crate) other: OtherCounters,
    refused: Vec<Counter>,
    refused_by_peers: Vec<Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let counters = || Refusal::ALL.iter().map(|_| Counter::default()).collect();
        Self {
            lanes: Lane::ALL.iter().map(|_| LaneCounters::default()).collect(),
            other: OtherCounters::default(),
            refused: counters(),
            refused_by_peers: counters(),
        }
    }
}

impl Metrics {
    /// The counters of a lane.
    pub(crate) fn lane(&self, lane: Lane) -> &LaneCounters {
        &self.lanes[lane_index(lane)]
    }

    /// Counts what became of a call.
    pub(crate) fn outcome(&self, lane: Lane, error: &MeshError) {
        let lane = self.lane(lane);
        let counter = match error {
            MeshError::NotConnected(_) => &lane.not_connected,
            MeshError::Congested(_) => &lane.congested,
            MeshError::TooLarge { .. } => &lane.too_large,
            MeshError::Timeout(_) => &lane.timeouts,
            MeshError::Lost(_) | MeshError::Stopping | MeshError::Unanswered { .. } => &lane.lost,
            MeshError::Refused { .. } => &lane.refused,
        };
        counter.add(1);
    }

    pub(crate) fn refused(&self, refusal: Refusal) {
        bump(&self.refused, refusal);
    }

    pub(crate) fn refused_by_peer(&self, refusal: Refusal) {
        bump(&self.refused_by_peers, refusal);
    }

    /// All counters, with what is under way on `links`.
    pub(crate) fn snapshot(&self, links: &[Arc<Link>]) -> MeshMetrics {
        let in_flight = |lane: Lane| links.iter().map(|link| link.lane(lane).in_flight() as u64).sum();
        let refusals = |counters: &[Counter]| {
            Refusal::ALL.iter().zip(counters).map(|(refusal, counter)| (*refusal, counter.get())).collect()
        };
        MeshMetrics {
            lanes: Lane::ALL.iter().map(|lane| (*lane, self.lane(*lane).snapshot())).collect(),
            in_flight: Lane::ALL.iter().map(|lane| (*lane, in_flight(*lane))).collect(),
            peers: links.len() as u64,
            other: self.other.snapshot(),
            refused: refusals(&self.refused),
            refused_by_peers: refusals(&self.refused_by_peers),
        }
    }
}

/// The place of a lane among all of them.
pub(crate) fn lane_index(lane: Lane) -> usize {
    Lane::ALL.iter().position(|each| *each == lane).unwrap_or_default()
}

fn bump(counters: &[Counter], refusal: Refusal) {
    if let Some((_, counter)) = Refusal::ALL.iter().zip(counters).find(|(each, _)| **each == refusal) {
        counter.add(1);
    }
}
