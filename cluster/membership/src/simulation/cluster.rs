use super::event::{Event, Happening, Index};
use super::link::Links;
use super::network::{Network, NetworkSettings};
use super::node::{Death, SimNode, address, incarnation, index_of, node_id};
use crate::swim::{Output, Settings, Swim};
use octopussy_core::ports::Reach;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BinaryHeap;
use std::time::Duration;

/// How finely [`Simulation::run_until`] looks at its condition.
const STEP: Duration = Duration::from_millis(10);

/// How often a stream tries to get through.
const RETRANSMIT: Duration = Duration::from_millis(100);

/// A simulated cluster. The same seed and the same calls give the same run.
#[derive(Debug)]
pub struct Simulation {
    pub(super) now: Duration,
    events: BinaryHeap<Event>,
    sequence: u64,
    pub(super) nodes: Vec<SimNode>,
    pub(super) links: Links,
    pub(super) network: Network,
    settings: Settings,
    pub(super) rng: StdRng,
    deaths: Vec<Death>,
}

impl Simulation {
    /// `nodes` nodes, none of which runs.
    #[must_use]
    pub fn new(nodes: usize, settings: Settings, network: NetworkSettings, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            sequence: 0,
            nodes: (0..nodes).map(|_| SimNode::new()).collect(),
            links: Links::default(),
            network: Network::new(network),
            settings,
            rng: StdRng::seed_from_u64(seed),
            deaths: Vec::new(),
        }
    }

    /// Starts node `index` in a new life; it dials those in `seeds`.
    pub fn start(&mut self, index: usize, seeds: &[usize]) {
        let seed = self.rng.random();
        let node = &mut self.nodes[index];
        node.boot += 1;
        let own = incarnation(index, node.boot);
        node.swim = Some(Swim::new(own, Some(address(index)), self.settings.clone(), seed));
        node.wanted.clear();
        self.act(index, |swim, _, out| swim.start(out));
        for seed in seeds {
            self.dial(index, *seed);
        }
    }

    /// Starts all nodes at once; all dial node 0.
    pub fn start_all(&mut self) {
        (0..self.nodes.len()).for_each(|index| self.start(index, &[0]));
    }

    /// Node `index` is gone without a word.
    pub fn crash(&mut self, index: usize) {
        self.nodes[index].swim = None;
        self.check_links();
    }

    /// Node `index` says good-bye, and is gone a moment later.
    pub fn leave(&mut self, index: usize) {
        self.act(index, |swim, now, out| swim.leave(now, out));
        self.nodes[index].swim = None;
        for other in 0..self.nodes.len() {
            self.close(index, other);
        }
    }

    /// Nothing passes from `from` to `to` any more.
    pub fn block(&mut self, from: usize, to: usize) {
        self.network.block(from, to);
        self.check_links();
    }

    /// Nothing passes between those in `side` and all others, in either direction.
    pub fn partition(&mut self, side: &[usize]) {
        for other in (0..self.nodes.len()).filter(|other| !side.contains(other)) {
            for inside in side {
                self.network.block(*inside, other);
                self.network.block(other, *inside);
            }
        }
        self.check_links();
    }

    /// Everything passes again.
    pub fn heal(&mut self) {
        self.network.clear();
        self.check_links();
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.events.peek().is_some_and(|event| event.at <= end) {
            if let Some(event) = self.events.pop() {
                self.now = event.at;
                self.happen(event.what);
            }
        }
        self.now = end;
    }

    /// Lets time pass until `condition` holds, at most `limit`; answers how long it took.
    pub fn run_until(&mut self, limit: Duration, condition: impl Fn(&Self) -> bool) -> Option<Duration> {
        let began = self.now;
        while !condition(self) {
            if self.now - began >= limit {
                return None;
            }
            self.run_for(STEP);
        }
        Some(self.now - began)
    }

    /// Whether `of` answers, as `by` sees it; unknown when `by` does not run.
    #[must_use]
    pub fn reach(&self, by: usize, of: usize) -> Reach {
        self.nodes[by].swim.as_ref().map_or(Reach::Unknown, |swim| swim.reach(node_id(of)))
    }

    /// Whether every running node sees every running node alive in its present life, and every other one not alive.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        (0..self.nodes.len())
            .all(|of| if self.runs(of) { self.is_alive_everywhere(of) } else { !self.is_up_anywhere(of) })
    }

    /// Whether every running node sees `of` alive in its present life.
    #[must_use]
    pub fn is_alive_everywhere(&self, of: usize) -> bool {
        let present = incarnation(of, self.nodes[of].boot);
        self.others(of)
            .all(|swim| swim.members().any(|(_, entry)| entry.incarnation == present && entry.reach == Reach::Alive))
    }

    /// Whether every running node but itself sees `of` down.
    #[must_use]
    pub fn is_down_everywhere(&self, of: usize) -> bool {
        self.others(of).all(|swim| swim.reach(node_id(of)) == Reach::Down)
    }

    /// Whether `index` runs.
    #[must_use]
    pub fn runs(&self, index: usize) -> bool {
        self.nodes[index].swim.is_some()
    }

    /// Every time a node was newly seen down somewhere.
    #[must_use]
    pub fn deaths(&self) -> &[Death] {
        &self.deaths
    }

    /// How often nodes took a new identity.
    #[must_use]
    pub fn renewals(&self) -> u64 {
        self.nodes.iter().map(|node| node.renewals).sum()
    }

    /// How many bytes all nodes together have given to the mesh.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.nodes.iter().map(|node| node.sent_bytes).sum()
    }

    fn others(&self, of: usize) -> impl Iterator<Item = &Swim> {
        self.nodes.iter().enumerate().filter(move |(index, _)| *index != of).filter_map(|(_, node)| node.swim.as_ref())
    }

    fn is_up_anywhere(&self, of: usize) -> bool {
        self.others(of).any(|swim| matches!(swim.reach(node_id(of)), Reach::Alive | Reach::Suspect))
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Datagram { to, boot, from, frame } if self.nodes[to].runs(boot) => {
                self.act(to, |swim, now, out| drop(swim.on_datagram(now, node_id(from), &frame, out)));
            }
            Happening::Timer { node, boot, timer } if self.nodes[node].runs(boot) => {
                self.act(node, |swim, now, out| swim.on_timer(now, timer, out));
            }
            // What a stream carries waits while the way is blocked, and goes with its connection.
            Happening::Request { to, from, .. } | Happening::Answer { to, from, .. }
                if self.network.is_blocked(from, to) =>
            {
                if self.peer_boot(from, to).is_some() {
                    self.schedule(RETRANSMIT, what);
                }
            }
            Happening::Request { to, boot, from, from_boot, frame } if self.nodes[to].runs(boot) => {
                let mut answer = None;
                self.act(to, |swim, now, out| answer = swim.on_sync_request(now, node_id(from), &frame, out).ok());
                if let Some(frame) = answer {
                    self.nodes[to].sent_bytes += frame.len() as u64;
                    let after = self.network.stream(&mut self.rng);
                    self.schedule(after, Happening::Answer { to: from, boot: from_boot, from: to, frame });
                }
            }
            Happening::Answer { to, boot, from, frame } if self.nodes[to].runs(boot) => {
                self.act(to, |swim, now, out| drop(swim.on_sync_answer(now, node_id(from), &frame, out)));
            }
            Happening::Dial { from, boot, to } if self.nodes[from].runs(boot) => self.try_connect(from, to),
            Happening::Idle { low, high, broken_at } => {
                if self.links.get(low, high).is_some_and(|link| link.broken_at == Some(broken_at)) {
                    self.close(low, high);
                }
            }
            // Whoever it was meant for is gone.
            Happening::Datagram { .. }
            | Happening::Timer { .. }
            | Happening::Request { .. }
            | Happening::Answer { .. }
            | Happening::Dial { .. } => {}
        }
    }

    /// Gives an input to a node that runs, and does what comes of it.
    pub(super) fn act(&mut self, index: Index, input: impl FnOnce(&mut Swim, Duration, &mut Vec<Output>)) {
        let mut out = Vec::new();
        let Some(swim) = self.nodes[index].swim.as_mut() else { return };
        input(swim, self.now, &mut out);
        out.into_iter().for_each(|output| self.perform(index, output));
    }

    fn perform(&mut self, index: Index, output: Output) {
        let boot = self.nodes[index].boot;
        match output {
            Output::Datagram { to, frame } => {
                let to = index_of(to);
                if self.peer_boot(index, to).is_none() {
                    return;
                }
                self.nodes[index].sent_bytes += frame.len() as u64;
                let arrives = self.network.datagram(&mut self.rng).filter(|_| !self.network.is_blocked(index, to));
                if let Some(after) = arrives {
                    let boot = self.nodes[to].boot;
                    self.schedule(after, Happening::Datagram { to, boot, from: index, frame });
                }
            }
            Output::Timer { after, timer } => self.schedule(after, Happening::Timer { node: index, boot, timer }),
            Output::Sync { to, request } => {
                let to = index_of(to);
                let Some(to_boot) = self.peer_boot(index, to) else { return };
                self.nodes[index].sent_bytes += request.len() as u64;
                let after = self.network.stream(&mut self.rng);
                let frame = request;
                self.schedule(after, Happening::Request { to, boot: to_boot, from: index, from_boot: boot, frame });
            }
            Output::Changed(change) => {
                let of = index_of(change.after.incarnation.node);
                let was_down = change.before.is_some_and(|entry| entry.reach == Reach::Down);
                if change.after.reach == Reach::Down && !was_down {
                    let alive = self.nodes[of].runs(change.after.incarnation.boot);
                    self.deaths.push(Death { at: self.now, by: index, of, alive });
                }
                if change.after.address.is_some() {
                    self.dial(index, of);
                }
            }
            Output::Renewed(_) => self.nodes[index].renewals += 1,
        }
    }

    pub(super) fn schedule(&mut self, after: Duration, what: Happening) {
        self.sequence += 1;
        self.events.push(Event { at: self.now + after, sequence: self.sequence, what });
    }
}
