//! Clusters of several nodes in one process, on real files and an in-memory mesh.

use super::disk::{Disk, opener};
use super::support::*;
use crate::{ShardHost, ShardHostConfig};
use octopussy_control::ControlCommand;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_mesh::memory::{MemoryMesh, Network};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;

/// How long a movement of replicas may take: several rounds of the reconciler.
pub(crate) const MOVE: Duration = Duration::from_secs(40);

/// Nodes on one network, each with a directory that survives it.
pub(crate) struct TestCluster {
    pub(crate) network: Network,
    pub(crate) nodes: BTreeMap<u8, TestNode>,
    dirs: BTreeMap<u8, TempDir>,
    disks: BTreeMap<u8, Disks>,
    shards: u16,
    /// What is different from the usual configuration.
    tweak: fn(ShardHostConfig) -> ShardHostConfig,
}

/// What a node's log and state lie on, each by itself.
#[derive(Default)]
pub(crate) struct Disks {
    pub(crate) log: Arc<Disk>,
    pub(crate) state: Arc<Disk>,
}

impl TestCluster {
    /// A cluster of one node.
    pub(crate) async fn found(seed: u64, shards: u16) -> Self {
        Self::found_with(seed, shards, |config| config).await
    }

    async fn found_with(seed: u64, shards: u16, tweak: fn(ShardHostConfig) -> ShardHostConfig) -> Self {
        let network = Network::new(seed);
        network.set_detection(Duration::from_millis(500));
        let mut cluster =
            Self { network, nodes: BTreeMap::new(), dirs: BTreeMap::new(), disks: BTreeMap::new(), shards, tweak };
        let mesh = cluster.network.node(node_id(1), 1);
        cluster.open(1, mesh, START).await;
        cluster.node(1).host.found(cluster_record(shards), member(node_id(1))).await.unwrap();
        cluster
    }

    /// A cluster of `count` nodes whose replicas are where they belong.
    pub(crate) async fn of(seed: u64, shards: u16, count: u8) -> Self {
        Self::of_with(seed, shards, count, |config| config).await
    }

    /// The same, with another configuration than the usual one.
    pub(crate) async fn of_with(
        seed: u64,
        shards: u16,
        count: u8,
        tweak: fn(ShardHostConfig) -> ShardHostConfig,
    ) -> Self {
        let mut cluster = Self::found_with(seed, shards, tweak).await;
        for number in 2..=count {
            cluster.join(number).await;
        }
        cluster.settled().await;
        cluster
    }

    fn config(&self, number: u8) -> ShardHostConfig {
        (self.tweak)(ShardHostConfig { replace_after: Duration::from_secs(60), ..config(self.dirs[&number].path()) })
    }

    async fn open(&mut self, number: u8, mesh: Arc<MemoryMesh>, at: u64) {
        self.dirs.entry(number).or_insert_with(|| tempfile::tempdir().unwrap());
        let clock = clock();
        clock.set(at);
        let reach = Arc::new(Connected(Arc::clone(&mesh)));
        let disks = self.disks.entry(number).or_default();
        let opener = opener([("log", &disks.log), ("state.redb", &disks.state)]);
        let host = ShardHost::open_with(self.config(number), clock.clone(), mesh, reach, opener).await.unwrap();
        self.nodes.insert(number, TestNode::of(host, clock, node_id(number)));
    }

    pub(crate) fn node(&self, number: u8) -> &TestNode {
        &self.nodes[&number]
    }

    /// Where the node's files lie.
    pub(crate) fn dir(&self, number: u8) -> &std::path::Path {
        self.dirs[&number].path()
    }

    /// What the node's stores lie on.
    pub(crate) fn disks(&self, number: u8) -> &Disks {
        &self.disks[&number]
    }

    /// Lets another node in.
    pub(crate) async fn join(&mut self, number: u8) {
        let mesh = self.network.node(node_id(number), 1);
        self.open(number, mesh, START).await;
        let sponsor = self.node(1);
        let now = sponsor.clock.now();
        let (added, token) = join_token(&[number], sponsor.id, now);
        sponsor.host.propose_control_for(admin(), added).await.unwrap();
        let member = Box::new(member(node_id(number)));
        sponsor.host.propose_control(ControlCommand::Join { member, token, now }).await.unwrap();
        self.node(number).host.adopt(LIMIT).await.unwrap();
    }

    /// Kills a node: nobody hears of it any more. Its files stay.
    pub(crate) async fn crash(&mut self, number: u8) {
        self.network.stop(node_id(number));
        let node = self.nodes.remove(&number).unwrap();
        node.host.close(LIMIT).await;
    }

    /// Kills a node whose disks are stalled: what they have in hand never reaches them. They work again afterwards.
    pub(crate) async fn crash_unwritten(&mut self, number: u8) {
        let set = |full| {
            for disk in [&self.disks[&number].log, &self.disks[&number].state] {
                disk.full.store(full, Ordering::SeqCst);
                disk.stalled.fetch_and(full, Ordering::SeqCst);
            }
        };
        self.network.stop(node_id(number));
        set(true);
        let node = self.nodes.remove(&number).unwrap();
        node.host.close(LIMIT).await;
        set(false);
    }

    /// Starts a node again.
    pub(crate) async fn restart(&mut self, number: u8) {
        self.restart_at(number, START).await;
    }

    /// Starts a node again, whose clock shows this then.
    pub(crate) async fn restart_at(&mut self, number: u8, at: u64) {
        let mesh = self.network.restart(node_id(number));
        self.open(number, mesh, at).await;
    }

    /// Waits until no move is under way or due, and every shard has an active leader.
    pub(crate) async fn settled(&self) {
        self.until("the settling", MOVE, || self.is_settled()).await;
    }

    fn is_settled(&self) -> bool {
        let full = self.nodes.len().min(3);
        let voters = if full == 2 { 1 } else { full };
        self.nodes.values().all(|node| {
            let state = node.host.control();
            state.members.len() >= self.nodes.len()
                && state.table.iter().all(|place| {
                    place.target.is_none()
                        && place.current.voters.len() == voters
                        && place.current.voters.len() + place.current.learners.len() == full
                })
        }) && self.shards().all(|shard| self.leader(shard).is_some())
    }

    pub(crate) fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shards).map(ShardId)
    }

    /// The one node that leads the shard by its own account.
    pub(crate) fn leader(&self, shard: ShardId) -> Option<u8> {
        let mut leaders = self.nodes.iter().filter(|(_, node)| node.led.epoch(shard).is_some());
        let first = leaders.next().map(|(number, _)| *number);
        assert!(leaders.next().is_none(), "two nodes lead shard {shard}");
        first
    }

    /// Waits for a condition, and says what the nodes know when it does not come true.
    pub(crate) async fn until(&self, what: &str, limit: Duration, condition: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + limit;
        while !condition() {
            if std::time::Instant::now() > deadline {
                for (number, node) in &self.nodes {
                    let state = node.host.control();
                    eprintln!("node {number}: version {} table {:#?}", state.version, state.table);
                    eprintln!("  groups {:#?}", node.host.groups());
                }
                panic!("{what} did not happen in time");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn close(self) {
        let closed = self.nodes.into_values().map(TestNode::close);
        futures::future::join_all(closed).await;
    }
}

pub(crate) fn cluster_record(shards: u16) -> octopussy_control::ClusterRecord {
    octopussy_control::ClusterRecord { founded_at: Timestamp::from_millis(START), ..cluster(shards) }
}

/// The number of a node.
pub(crate) fn number(node: NodeId) -> u8 {
    node.0[0]
}
