//! The whole simulated cluster, one millisecond at a time.

use super::clients::Clients;
use super::disk::Images;
use super::history::History;
use super::invariants;
use super::node::SimNode;
use super::planted::Planted;
use super::rng::Rng;
use super::runtime::Seeded;
use crate::tests::support::{agent, node_id};
use octopussy_core::ids::{AgentId, ShardCount, ShardId};
use octopussy_mesh::memory::Network;
use openraft::async_runtime::watch::WatchReceiver;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The usual time that something is under way, in milliseconds. Nodes run a millisecond ahead of the network, so that it must
/// not be less than that.
const LATENCY: (u64, u64) = (1, 4);

/// How often leases are looked at, in milliseconds: many times within the margin that is kept between two of them.
const LOOK_EVERY: u64 = 5;

/// How often queues are looked at, in milliseconds.
const MEASURE_EVERY: u64 = 100;

/// A simulated cluster.
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) history: Arc<History>,
    pub(super) network: Network,
    pub(super) nodes: BTreeMap<u8, SimNode>,
    pub(super) clients: Clients,
    pub(super) agents: Vec<AgentId>,
    shards: ShardCount,
    /// Ways that are cut, from one node to another.
    pub(super) cuts: BTreeSet<(u8, u8)>,
    /// The node that has last lost what was on its disks, until it has everything again.
    pub(super) lost_disks: Option<u8>,
    /// The node that is to hold nothing.
    pub(super) drained: Option<u8>,
    /// Ways on which nothing arrives: those that are cut, and those to nodes that are frozen.
    blocked: BTreeSet<(u8, u8)>,
    _seeded: Seeded,
    _dir: TempDir,
}

impl World {
    /// Nodes with what lies on their disks, none of which runs yet.
    pub(super) fn new(seed: u64, shards: u16, disks: BTreeMap<u8, Images>, planted: Planted) -> Self {
        let seeded = Seeded::new(seed);
        let mut rng = Rng(seed);
        let (dir, history, shards) = (tempfile::tempdir().unwrap(), History::new(), ShardCount::new(shards).unwrap());
        let network = Network::driven(rng.next());
        let clients = Clients::new(rng.fork(), shards, &history, planted);
        let place = |number: u8| dir.path().join(format!("node-{number}"));
        let nodes = disks
            .into_iter()
            .map(|(number, images)| (number, SimNode::new(number, images, place(number), &history, planted)));
        let nodes = nodes.collect();
        let agents = (0..8).map(|number| agent(&format!("agent-{number}")).id).collect();
        let world = Self {
            rng,
            history,
            network,
            nodes,
            clients,
            agents,
            shards,
            cuts: BTreeSet::new(),
            lost_disks: None,
            drained: None,
            blocked: BTreeSet::new(),
            _seeded: seeded,
            _dir: dir,
        };
        world.hurry();
        world
    }

    pub(super) const fn shards(&self) -> ShardCount {
        self.shards
    }

    pub(super) fn now(&self) -> u64 {
        self.history.now()
    }

    /// Brings the network back to its usual speed.
    pub(super) fn hurry(&self) {
        self.set_latency(LATENCY.0, LATENCY.1);
        self.network.set_resending(0.0, Duration::ZERO);
    }

    pub(super) fn set_latency(&self, low: u64, high: u64) {
        self.network.set_latency(Duration::from_millis(low)..=Duration::from_millis(high));
    }

    pub(super) fn start(&mut self, number: u8) {
        let node = self.nodes.get_mut(&number).unwrap();
        if !node.is_up() {
            node.start(&self.network, &mut self.rng);
        }
    }

    pub(super) fn crash(&mut self, number: u8) {
        let lands = self.rng.one_in(2);
        self.nodes.get_mut(&number).unwrap().crash(&self.network, lands);
        self.block();
    }

    pub(super) fn freeze(&mut self, number: u8, suspended: bool) {
        self.nodes.get_mut(&number).unwrap().freeze(suspended);
        self.block();
    }

    pub(super) fn thaw(&mut self, number: u8) {
        self.nodes.get_mut(&number).unwrap().thaw();
        self.block();
    }

    /// Brings the ways to how they should be.
    pub(super) fn block(&mut self) {
        let numbers: Vec<u8> = self.nodes.keys().copied().collect();
        let mut wanted = self.cuts.clone();
        for frozen in self.nodes.values().filter(|node| node.is_frozen()) {
            let others = numbers.iter().filter(|other| **other != frozen.number);
            wanted.extend(others.map(|other| (*other, frozen.number)));
        }
        let opened: BTreeSet<(u8, u8)> =
            self.blocked.difference(&wanted).map(|(a, b)| (*a.min(b), *a.max(b))).collect();
        for (a, b) in &opened {
            self.network.heal(node_id(*a), node_id(*b));
            self.blocked.remove(&(*a, *b));
            self.blocked.remove(&(*b, *a));
        }
        for (from, to) in wanted.difference(&self.blocked) {
            self.network.partition_one_way(node_id(*from), node_id(*to));
        }
        self.blocked = wanted;
    }

    /// A millisecond passes.
    pub(super) fn step(&mut self, more: bool) -> Result<(), String> {
        let now = self.now() + 1;
        self.history.set_now(now);
        self.network.run_until(Duration::from_millis(now));
        let mut order: Vec<u8> = self.nodes.keys().copied().collect();
        let first = usize::try_from(self.rng.below(order.len() as u64)).unwrap();
        order.rotate_left(first);
        for number in order {
            self.nodes.get_mut(&number).unwrap().run();
        }
        self.clients.step(&self.nodes, &self.agents, more);
        if now.is_multiple_of(LOOK_EVERY) {
            for node in self.nodes.values().filter(|node| !node.is_frozen()) {
                for event in node.speaks(self.shards.all()) {
                    self.history.see(&event);
                }
            }
        }
        if now.is_multiple_of(MEASURE_EVERY) {
            invariants::sampled(self)?;
            self.look_after_replicas();
        }
        self.history.fault()
    }

    /// Lets time pass until `condition` holds, at most so many milliseconds.
    pub(super) fn until(&mut self, what: &str, limit: u64, condition: impl Fn(&Self) -> bool) -> Result<(), String> {
        let end = self.now() + limit;
        while !condition(self) {
            if self.now() >= end {
                return Err(format!("{what} did not happen in time"));
            }
            self.step(false)?;
        }
        Ok(())
    }

    /// The nodes that hold a replica of the shard.
    pub(super) fn replicas(&self, shard: ShardId) -> Vec<&SimNode> {
        let control = self.nodes.values().find_map(SimNode::opened).map(|opened| opened.host.control());
        let place = control.and_then(|control| control.place(shard).cloned());
        let nodes: Vec<_> = place.iter().flat_map(|place| place.current.nodes()).collect();
        self.nodes.values().filter(|node| nodes.contains(&node_id(node.number))).collect()
    }

    /// What the groups of the nodes know, for whoever wonders why nothing moves.
    pub(super) fn describe(&self) -> String {
        let groups =
            self.nodes.values().filter_map(|node| Some((node.number, node.opened()?.host.core().registry.all())));
        let mut lines = Vec::new();
        for (number, groups) in groups {
            for group in groups {
                let metrics = group.raft().metrics().borrow_watched().to_string();
                lines.push(format!("\n  {number}: group {}: {metrics}", group.id()));
            }
        }
        lines.concat()
    }

    /// The nodes that speak for the shard.
    pub(super) fn leaders(&self, shard: ShardId) -> Vec<u8> {
        let leads = |node: &&SimNode| !node.speaks(std::iter::once(shard)).is_empty();
        self.nodes.values().filter(leads).map(|node| node.number).collect()
    }
}
