use crate::records::{LOAD_KEY, NODE_KEY, encode};
use crate::table::Table;
use crate::transport::MeshTransport;
use crate::{FactsConfig, FactsError, address};
use chitchat::{ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig, spawn_chitchat};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, MeshPort, NodeFactsView, PeerEvent, PeerObserver};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// To how many connected peers new facts are told at once; from there on the rounds carry them.
const TOLD_AT_ONCE: usize = 3;

/// The share of the suspicion of a phi accrual detector above which chitchat takes a node for dead. Only its own garbage
/// collection asks.
const PHI: f64 = 8.0;

/// How many arrivals of heartbeats that detector remembers of a node: enough for a mean, at 8 bytes each.
const PHI_WINDOW: usize = 64;

/// What every node tells of itself, as known here. Dropping the last handle stops telling and hearing.
pub struct Facts {
    me: Incarnation,
    mesh: Arc<dyn MeshPort>,
    chitchat: ChitchatHandle,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What is known, shared with whoever hears news.
struct Shared {
    table: Mutex<Table>,
    views: watch::Sender<Arc<BTreeMap<NodeId, NodeFactsView>>>,
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").field("me", &self.me).field("nodes", &self.all().len()).finish_non_exhaustive()
    }
}

impl Facts {
    /// Starts over `mesh`: takes its one-way messages and observes its connections. Nodes of another `cluster` are not heard.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`FactsError::Zero`] and [`FactsError::Start`].
    pub async fn start(mesh: Arc<dyn MeshPort>, cluster: &str, config: FactsConfig) -> Result<Arc<Self>, FactsError> {
        for (name, duration) in [("gossip_every", config.gossip_every), ("dead_grace", config.dead_grace)] {
            if duration.is_zero() {
                return Err(FactsError::Zero(name));
            }
        }
        let me = mesh.incarnation();
        let (transport, inbox) = MeshTransport::new(Arc::clone(&mesh));
        let chitchat = spawn_chitchat(protocol(me, cluster, &config), Vec::new(), &transport)
            .await
            .map_err(|error| FactsError::Start(format!("{error:#}")))?;
        let shared = Arc::new(Shared { table: Mutex::default(), views: watch::Sender::new(Arc::default()) });
        let hears = Arc::clone(&shared);
        chitchat
            .with_chitchat(|chitchat| {
                let hears = Arc::clone(&hears);
                let hear = move |event: chitchat::KeyChangeEvent<'_>| hears.hear(event.node, event.key, event.value);
                chitchat.subscribe_event("", hear).forever();
            })
            .await;
        let stop = CancellationToken::new();
        watch_end(&chitchat, stop.clone());
        let facts = Arc::new(Self { me, chitchat, shared, stop: stop.clone(), mesh });
        facts.mesh.on_gossip(inbox);
        facts.mesh.observe(Arc::new(Greeter(Arc::downgrade(&facts))));
        for peer in facts.mesh.peers() {
            facts.greet(peer.incarnation.node);
        }
        tokio::spawn(sweep(Arc::downgrade(&facts), config.gossip_every, stop));
        Ok(facts)
    }

    /// Tells others what this node is from now on. Models that do not fit are left out, the last first, with a warning.
    ///
    /// # Errors
    /// [`FactsError::TooLarge`] and [`FactsError::Codec`]; what was told before stays.
    pub async fn set(&self, facts: &NodeFactsView) -> Result<(), FactsError> {
        let encoded = encode(facts)?;
        if encoded.models_left_out > 0 {
            tracing::warn!(left_out = encoded.models_left_out, "not all models fit into the facts of this node");
        }
        self.chitchat
            .with_chitchat(|chitchat| {
                let own = chitchat.self_node_state();
                own.set(NODE_KEY, &encoded.node);
                own.set(LOAD_KEY, &encoded.load);
            })
            .await;
        let changed = {
            let mut table = self.shared.table.lock();
            let node = table.take(self.me, NODE_KEY, &encoded.node);
            table.take(self.me, LOAD_KEY, &encoded.load) || node
        };
        if changed {
            self.shared.show();
            // Which ones does not matter, only that they are not always the same: the order is by round-trip time or
            // arrival, neither of which is ours.
            self.mesh.peers().iter().take(TOLD_AT_ONCE).for_each(|peer| self.greet(peer.incarnation.node));
        }
        Ok(())
    }

    /// What `node` told last; `None` while nothing has been heard of it.
    #[must_use]
    pub fn of(&self, node: NodeId) -> Option<NodeFactsView> {
        self.shared.views.borrow().get(&node).cloned()
    }

    /// What all nodes told last, this one included.
    #[must_use]
    pub fn all(&self) -> Arc<BTreeMap<NodeId, NodeFactsView>> {
        Arc::clone(&self.shared.views.borrow())
    }

    /// What all nodes told last, now and after every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, NodeFactsView>>> {
        self.shared.views.subscribe()
    }

    /// Stops telling and hearing; what is known stays. To be called before the mesh is closed, whose end would otherwise be taken
    /// for a failure.
    pub fn stop(&self) {
        self.stop.cancel();
        let _ended_already = self.chitchat.initiate_shutdown();
    }

    /// Compares facts with `node` at once.
    fn greet(&self, node: NodeId) {
        // Fails only once the protocol has ended, of which `watch_end` tells.
        let _ = self.chitchat.gossip(address::of_node(node));
    }

    /// Drops the nodes that chitchat has given up.
    async fn collect(&self) {
        let kept = |chitchat: &mut chitchat::Chitchat| -> BTreeSet<NodeId> {
            chitchat.node_states().keys().filter_map(|id| address::node_of(id.gossip_advertise_addr)).collect()
        };
        let kept = self.chitchat.with_chitchat(kept).await;
        let dropped = self.shared.table.lock().retain(|node| node == self.me.node || kept.contains(&node));
        if dropped {
            self.shared.show();
        }
    }
}

impl Drop for Facts {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn hear(&self, id: &ChitchatId, key: &str, value: &str) {
        let Some(node) = address::node_of(id.gossip_advertise_addr) else { return };
        let changed = self.table.lock().take(Incarnation { node, boot: id.generation_id }, key, value);
        if changed {
            self.show();
        }
    }

    fn show(&self) {
        // The table is read while the sender is locked, so that an older state never replaces a newer one.
        self.views.send_modify(|views| *views = Arc::new(self.table.lock().views()));
    }
}

/// Compares facts with every newly connected peer.
struct Greeter(Weak<Facts>);

impl PeerObserver for Greeter {
    fn on_peer(&self, event: PeerEvent) {
        match (event, self.0.upgrade()) {
            (PeerEvent::Connected(peer), Some(facts)) => facts.greet(peer.node),
            (PeerEvent::Connected(_) | PeerEvent::Closed(_), _) => {}
        }
    }
}

fn protocol(me: Incarnation, cluster: &str, config: &FactsConfig) -> ChitchatConfig {
    let own = address::of_node(me.node);
    ChitchatConfig {
        // The address says which node it is; a name would only make every message longer.
        chitchat_id: ChitchatId::new("", me.boot, own),
        cluster_id: cluster.to_owned(),
        gossip_interval: config.gossip_every,
        listen_addr: own,
        seed_nodes: Vec::new(),
        failure_detector_config: FailureDetectorConfig::new(
            PHI,
            PHI_WINDOW,
            config.gossip_every * 4,
            config.gossip_every * 2,
            config.dead_grace,
        ),
        marked_for_deletion_grace_period: config.dead_grace,
        catchup_callback: None,
        extra_liveness_predicate: None,
    }
}

/// Tells the operator when the exchange ends although nobody stopped it.
fn watch_end(chitchat: &ChitchatHandle, stop: CancellationToken) {
    let ended = chitchat.termination_watcher();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            end = ended => match end {
                Ok(()) => {}
                Err(error) => tracing::error!(%error, "facts about nodes are no longer exchanged"),
            },
        }
    });
}

async fn sweep(facts: Weak<Facts>, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => return,
        }
        let Some(facts) = facts.upgrade() else { return };
        facts.collect().await;
    }
}
