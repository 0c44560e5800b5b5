use crate::message::{Told, read, write};
use crate::records::{LoadRecord, NodeRecord, fit, view};
use crate::table::Table;
use crate::{FactsConfig, FactsError};
use bytes::Bytes;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameHandler, Incarnation, MeshPort, NodeFactsView, PeerEvent, PeerObserver};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many peers at least are told everything again in a round.
const TOLD_AT_LEAST: usize = 3;

/// In how many rounds every peer has its turn.
const ROUNDS: usize = 12;

/// What every node tells of itself, as known here. Dropping the last handle stops telling and hearing.
pub struct Facts {
    me: Incarnation,
    mesh: Arc<dyn MeshPort>,
    state: Mutex<State>,
    views: watch::Sender<Arc<BTreeMap<NodeId, NodeFactsView>>>,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    others: Table,
    own: Option<Own>,
    /// Whose turn it was last to be told everything again.
    last_told: Option<NodeId>,
}

struct Own {
    number: u64,
    node: NodeRecord,
    load: LoadRecord,
}

impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").field("me", &self.me).field("nodes", &self.all().len()).finish_non_exhaustive()
    }
}

impl Facts {
    /// Starts over `mesh`: takes its one-way messages and observes its connections. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`FactsError::Zero`].
    pub fn start(mesh: Arc<dyn MeshPort>, config: &FactsConfig) -> Result<Arc<Self>, FactsError> {
        for (name, duration) in [("gossip_every", config.gossip_every), ("dead_grace", config.dead_grace)] {
            if duration.is_zero() {
                return Err(FactsError::Zero(name));
            }
        }
        let facts = Arc::new(Self {
            me: mesh.incarnation(),
            mesh,
            state: Mutex::default(),
            views: watch::Sender::new(Arc::default()),
            stop: CancellationToken::new(),
        });
        let ears = Arc::new(Ears(Arc::downgrade(&facts)));
        facts.mesh.on_gossip(Arc::clone(&ears) as _);
        facts.mesh.observe(ears);
        tokio::spawn(rounds(Arc::downgrade(&facts), config.clone(), facts.stop.clone()));
        Ok(facts)
    }

    /// Tells others what this node is from now on. Models that do not fit are left out, the last first, with a warning.
    ///
    /// # Errors
    /// [`FactsError::TooLarge`] and [`FactsError::Codec`]; what was told before stays.
    pub fn set(&self, facts: &NodeFactsView) -> Result<(), FactsError> {
        let fitted = fit(facts)?;
        if fitted.models_left_out > 0 {
            tracing::warn!(left_out = fitted.models_left_out, "not all models fit into the facts of this node");
        }
        let frame = {
            let mut state = self.state.lock();
            let before = state.own.as_ref();
            let same_node = before.is_some_and(|own| own.node == fitted.node);
            if same_node && before.is_some_and(|own| own.load == fitted.load) {
                return Ok(());
            }
            let number = before.map_or(0, |own| own.number) + 1;
            let own = Own { number, node: fitted.node, load: fitted.load };
            let frame = write(&self.told(&own, !same_node))?;
            state.own = Some(own);
            frame
        };
        self.show();
        let frame = Bytes::from(frame);
        for peer in self.mesh.peers() {
            // What cannot be sent now is told again in a later round.
            let _ = self.mesh.gossip(peer.incarnation.node, frame.clone());
        }
        Ok(())
    }

    /// What `node` told last; `None` while nothing has been heard of it.
    #[must_use]
    pub fn of(&self, node: NodeId) -> Option<NodeFactsView> {
        self.views.borrow().get(&node).cloned()
    }

    /// What all nodes told last, this one included.
    #[must_use]
    pub fn all(&self) -> Arc<BTreeMap<NodeId, NodeFactsView>> {
        Arc::clone(&self.views.borrow())
    }

    /// What all nodes told last, now and after every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, NodeFactsView>>> {
        self.views.subscribe()
    }

    /// Stops telling; what is known stays.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    fn told(&self, own: &Own, whole: bool) -> Told {
        Told { boot: self.me.boot, number: own.number, node: whole.then(|| own.node.clone()), load: own.load }
    }

    /// Everything that this node tells of itself, in bytes.
    fn whole(&self) -> Option<Bytes> {
        let state = self.state.lock();
        write(&self.told(state.own.as_ref()?, true)).ok().map(Bytes::from)
    }

    fn greet(&self, node: NodeId) {
        if let Some(frame) = self.whole().filter(|_| !self.stop.is_cancelled()) {
            let _ = self.mesh.gossip(node, frame);
        }
    }

    /// Takes what a node tells, which is of itself: whose it is says the mesh.
    fn hear(&self, from: NodeId, frame: &[u8]) {
        let Some(told) = read(frame) else {
            return tracing::debug!(node = %from, "a message with facts cannot be read");
        };
        if self.state.lock().others.take(from, told, Instant::now()) {
            self.show();
        }
    }

    /// Tells the next of the peers everything again, and forgets those that have long been silent.
    fn round(&self, config: &FactsConfig) {
        if self.state.lock().others.forget(config.dead_grace, Instant::now()) {
            self.show();
        }
        let mut peers: Vec<NodeId> = self.mesh.peers().into_iter().map(|peer| peer.incarnation.node).collect();
        peers.sort_unstable();
        let Some(frame) = self.whole() else { return };
        let last = self.state.lock().last_told;
        let after = peers.partition_point(|node| last.is_some_and(|last| *node <= last));
        let count = peers.len().div_ceil(ROUNDS).max(TOLD_AT_LEAST).min(peers.len());
        for node in peers.iter().cycle().skip(after).take(count) {
            let _ = self.mesh.gossip(*node, frame.clone());
            self.state.lock().last_told = Some(*node);
        }
    }

    fn show(&self) {
        // The table is read while the sender is locked, so that an older state never replaces a newer one.
        self.views.send_modify(|views| {
            let state = self.state.lock();
            let mut all = state.others.views();
            if let Some(own) = &state.own {
                all.insert(self.me.node, view(&own.node, own.load));
            }
            *views = Arc::new(all);
        });
    }
}

impl Drop for Facts {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Hears what peers tell, and tells newly connected ones everything.
struct Ears(Weak<Facts>);

impl FrameHandler for Ears {
    fn handle(&self, from: NodeId, frame: Bytes) {
        if let Some(facts) = self.0.upgrade() {
            facts.hear(from, &frame);
        }
    }
}

impl PeerObserver for Ears {
    fn on_peer(&self, event: PeerEvent) {
        match (event, self.0.upgrade()) {
            (PeerEvent::Connected(peer), Some(facts)) => facts.greet(peer.node),
            (PeerEvent::Connected(_) | PeerEvent::Closed(_), _) => {}
        }
    }
}

async fn rounds(facts: Weak<Facts>, config: FactsConfig, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(config.gossip_every) => {}
            () = stop.cancelled() => return,
        }
        let Some(facts) = facts.upgrade() else { return };
        facts.round(&config);
    }
}
