use super::event::Index;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::time::Duration;

/// How the network behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkSettings {
    /// The shortest time a packet takes.
    pub latency_min: Duration,
    /// The longest.
    pub latency_max: Duration,
    /// The share of packets that are lost, 0 to 1.
    pub loss: f64,
    /// How long a connection lives on without a packet from the other side.
    pub idle_timeout: Duration,
}

impl Default for NetworkSettings {
    /// A local network without loss.
    fn default() -> Self {
        Self {
            latency_min: Duration::from_micros(200),
            latency_max: Duration::from_millis(5),
            loss: 0.0,
            idle_timeout: Duration::from_secs(3),
        }
    }
}

/// Which directions are blocked, and what becomes of a packet.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) settings: NetworkSettings,
    blocked: BTreeSet<(Index, Index)>,
}

impl Network {
    pub(super) const fn new(settings: NetworkSettings) -> Self {
        Self { settings, blocked: BTreeSet::new() }
    }

    pub(super) fn block(&mut self, from: Index, to: Index) {
        self.blocked.insert((from, to));
    }

    pub(super) fn clear(&mut self) {
        self.blocked.clear();
    }

    pub(super) fn is_blocked(&self, from: Index, to: Index) -> bool {
        self.blocked.contains(&(from, to))
    }

    /// Whether packets pass in both directions.
    pub(super) fn is_open(&self, a: Index, b: Index) -> bool {
        !self.is_blocked(a, b) && !self.is_blocked(b, a)
    }

    pub(super) fn latency(&self, rng: &mut StdRng) -> Duration {
        rng.random_range(self.settings.latency_min..=self.settings.latency_max)
    }

    /// When a datagram arrives; `None` when it is lost.
    pub(super) fn datagram(&self, rng: &mut StdRng) -> Option<Duration> {
        if rng.random_bool(self.settings.loss) { None } else { Some(self.latency(rng)) }
    }

    /// When a frame of a stream arrives: each loss costs a retransmission.
    pub(super) fn stream(&self, rng: &mut StdRng) -> Duration {
        let mut after = self.latency(rng);
        while rng.random_bool(self.settings.loss) {
            after += self.settings.latency_max * 2 + Duration::from_millis(25);
        }
        after
    }
}
