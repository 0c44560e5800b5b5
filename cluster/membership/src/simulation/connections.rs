//! Connections come and go as in the mesh.

use super::cluster::Simulation;
use super::event::{Happening, Index};
use super::node::incarnation;
use rand::RngExt;
use std::time::Duration;

/// How long a failed dial waits before the next, at least and at most.
const REDIAL: std::ops::Range<Duration> = Duration::from_millis(250)..Duration::from_millis(1_000);

impl Simulation {
    /// Has `from` connect to `to` and stay connected.
    pub(super) fn dial(&mut self, from: Index, to: Index) {
        if from != to && self.nodes[from].wanted.insert(to) {
            // A handshake takes one and a half round trips.
            let after = self.network.latency(&mut self.rng) * 3;
            let boot = self.nodes[from].boot;
            self.schedule(after, Happening::Dial { from, boot, to });
        }
    }

    pub(super) fn try_connect(&mut self, from: Index, to: Index) {
        let boot = self.nodes[from].boot;
        if self.peer_boot(from, to).is_none() && self.runs(to) && self.network.is_open(from, to) {
            // A connection to an earlier life gives way.
            self.close(from, to);
            let to_boot = self.nodes[to].boot;
            self.links.insert((from, boot), (to, to_boot));
            self.act(from, |swim, now, out| swim.on_connected(now, incarnation(to, to_boot), out));
            self.act(to, |swim, now, out| swim.on_connected(now, incarnation(from, boot), out));
        }
        // Looked at again for ever: that is how a lost connection is made anew.
        let after = self.rng.random_range(REDIAL);
        self.schedule(after, Happening::Dial { from, boot, to });
    }

    /// The life of `to` that the present life of `from` is connected to.
    pub(super) fn peer_boot(&self, from: Index, to: Index) -> Option<u64> {
        let link = self.links.get(from, to)?;
        let (own, peer) = if from < to { (link.low_boot, link.high_boot) } else { (link.high_boot, link.low_boot) };
        (own == self.nodes[from].boot).then_some(peer).filter(|boot| *boot == self.nodes[to].boot || !self.runs(to))
    }

    pub(super) fn close(&mut self, a: Index, b: Index) {
        let Some(link) = self.links.remove(a, b) else { return };
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        for (own, own_boot, peer, peer_boot) in
            [(low, link.low_boot, high, link.high_boot), (high, link.high_boot, low, link.low_boot)]
        {
            if self.nodes[own].runs(own_boot) {
                self.act(own, |swim, now, out| swim.on_closed(now, incarnation(peer, peer_boot), out));
            }
        }
    }

    /// Notes which links are broken, after something has changed.
    pub(super) fn check_links(&mut self) {
        let mut broken = Vec::new();
        for ((low, high), link) in self.links.iter_mut() {
            let works = self.nodes[low].runs(link.low_boot)
                && self.nodes[high].runs(link.high_boot)
                && self.network.is_open(low, high);
            match (works, link.broken_at) {
                (true, Some(_)) => link.broken_at = None,
                (false, None) => {
                    link.broken_at = Some(self.now);
                    broken.push((low, high));
                }
                (true, None) | (false, Some(_)) => {}
            }
        }
        let broken_at = self.now;
        for (low, high) in broken {
            self.schedule(self.network.settings.idle_timeout, Happening::Idle { low, high, broken_at });
        }
    }
}
