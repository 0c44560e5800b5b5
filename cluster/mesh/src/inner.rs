//! What the tasks of a mesh share, and the table of connections.

use crate::bucket::Throttle;
use crate::config::MeshConfig;
use crate::handlers::{Guarding, Handlers};
use crate::hello::Hello;
use crate::inbound::Inbound;
use crate::join::JoinHandler;
use crate::known::{Known, Peer};
use crate::limits::{ADMISSION_LIMIT, LINGER, LOG_EVERY, MAX_IMPOSTORS, MAX_PEERS};
use crate::link::Link;
use crate::metrics::Metrics;
use crate::refusal::{CLOSE_DUPLICATE, CLOSE_REPLACED, Refusal, is_distrust, quoted};
use octopussy_core::ids::NodeId;
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::{Admission, Incarnation, MeshError, PeerEvent};
use parking_lot::{Mutex, RwLock};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, VarInt};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A start of a node that was refused for its home.
#[derive(Debug, Clone)]
pub struct Impostor {
    /// The identity it came under.
    pub node: NodeId,
    /// From where.
    pub address: SocketAddr,
    /// When it was last refused.
    pub at: Instant,
    /// In which words.
    pub reason: Arc<str>,
}

/// What the tasks of a mesh share.
pub(crate) struct Inner {
    pub(crate) me: Incarnation,
    pub(crate) config: MeshConfig,
    pub(crate) endpoint: Endpoint,
    pub(crate) client: RwLock<ClientConfig>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) known: Mutex<Known>,
    pub(crate) join: RwLock<Option<Arc<dyn JoinHandler>>>,
    pub(crate) stopping: CancellationToken,
    /// Who has told this node that it has been removed from the cluster.
    pub(crate) forgotten_by: watch::Sender<BTreeSet<NodeId>>,
    /// Who has told this node that its identity is in use elsewhere, or its home an old one, and in which words.
    pub(crate) disowned_by: watch::Sender<BTreeMap<NodeId, Arc<str>>>,
    /// The lives of this node, as they are now.
    pub(crate) lineage: RwLock<Lineage>,
    /// Starts of other nodes that were refused here for their home.
    impostors: Mutex<BTreeMap<NodeId, Impostor>>,
    links: RwLock<HashMap<NodeId, Arc<Link>>>,
    /// Held while a connection comes or goes until observers were told, so that they hear it in order. They may look at the
    /// table meanwhile.
    order: Mutex<()>,
    attempts: AtomicU64,
    throttles: Vec<Throttle>,
}

impl Inner {
    pub(crate) fn new(
        me: Incarnation,
        config: MeshConfig,
        endpoint: Endpoint,
        client: ClientConfig,
        known: Known,
    ) -> Arc<Self> {
        let handlers = Arc::new(if config.guarded { Handlers::closed() } else { Handlers::default() });
        Arc::new(Self {
            me,
            lineage: RwLock::new(config.lineage.clone()),
            config,
            endpoint,
            client: RwLock::new(client),
            handlers,
            metrics: Arc::default(),
            known: Mutex::new(known),
            join: RwLock::default(),
            stopping: CancellationToken::new(),
            forgotten_by: watch::Sender::default(),
            disowned_by: watch::Sender::default(),
            impostors: Mutex::default(),
            links: RwLock::default(),
            order: Mutex::default(),
            attempts: AtomicU64::new(0),
            throttles: Refusal::ALL.iter().map(|_| Throttle::default()).collect(),
        })
    }

    /// What this node says of itself on its next connection.
    pub(crate) fn hello(&self, attempt: u64) -> Hello {
        Hello {
            cluster: self.config.cluster.clone(),
            oldest: *self.config.versions.start(),
            newest: *self.config.versions.end(),
            lineage: self.lineage.read().clone(),
            addresses: self.config.advertise.clone(),
            attempt,
        }
    }

    /// Whether a node that has shown its certificate may be connected.
    ///
    /// # Errors
    /// The refusal of one that is no member of the cluster.
    pub(crate) async fn admission(&self, node: NodeId) -> Result<(), (Refusal, String)> {
        let guard = match self.handlers.guarding() {
            // Without a guard nothing of it is heard, and the guard looks at it when it comes.
            Guarding::Open | Guarding::Closed => return Ok(()),
            Guarding::By(guard) => guard,
        };
        let admission = tokio::time::timeout(ADMISSION_LIMIT, guard.admission(node)).await;
        match admission.unwrap_or(Admission::Stranger) {
            Admission::Known => Ok(()),
            Admission::Stranger => Err((
                Refusal::Stranger,
                "it is no member of the cluster: its certificate proves its key and gives it no rights".to_owned(),
            )),
            Admission::Removed => Err((Refusal::Forgotten, "it has been removed from the cluster".to_owned())),
        }
    }

    /// The number of the next connection that this node begins.
    pub(crate) fn attempt(&self) -> u64 {
        self.attempts.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The connection to a node.
    pub(crate) fn link(&self, node: NodeId) -> Result<Arc<Link>, MeshError> {
        if self.stopping.is_cancelled() {
            return Err(MeshError::Stopping);
        }
        self.links.read().get(&node).cloned().ok_or(MeshError::NotConnected(node))
    }

    /// All connections.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.links.read().values().cloned().collect()
    }

    pub(crate) fn is_connected(&self, node: NodeId) -> bool {
        self.links.read().contains_key(&node)
    }

    /// Takes a connection on which both have greeted each other, and begins to serve it.
    pub(crate) fn install(
        self: &Arc<Self>,
        link: Arc<Link>,
        addresses: &[SocketAddr],
    ) -> Result<(), (Refusal, String)> {
        if self.stopping.is_cancelled() {
            return Err((Refusal::Busy, "the node is stopping".to_owned()));
        }
        let node = link.peer.node;
        let mut heard = vec![link.address()];
        heard.extend_from_slice(addresses);
        let order = self.order.lock();
        let fresh = self.known.lock().connected(node, link.peer.boot, &heard, self.stopping.child_token())?;
        if let Some(peer) = fresh {
            self.keep(peer);
        }
        link.connection.set_receive_window(VarInt::MAX);
        self.metrics.other.connected.add(1);
        Inbound { link: link.clone(), handlers: self.handlers.clone(), metrics: self.metrics.clone() }.start();
        tokio::spawn(supervise(self.clone(), link.clone()));
        self.enter(link);
        drop(order);
        self.known.lock().wake(node);
        Ok(())
    }

    /// Decides between the connection and one there may be already. Called under `order`.
    fn enter(&self, link: Arc<Link>) {
        let node = link.peer.node;
        let old = self.links.read().get(&node).cloned();
        let Some(old) = old else {
            self.links.write().insert(node, link.clone());
            tracing::debug!(peer = %link.peer, address = %link.address(), "connected");
            return self.handlers.notify(PeerEvent::Connected(link.peer));
        };
        if old.peer == link.peer && old.is_open() {
            if old.rank >= link.rank {
                return retire(link);
            }
            self.links.write().insert(node, link);
            return retire(old);
        }
        self.links.write().insert(node, link.clone());
        old.close(CLOSE_REPLACED, "a newer connection of the same node took its place");
        old.end();
        self.handlers.notify(PeerEvent::Closed(old.peer));
        self.handlers.notify(PeerEvent::Connected(link.peer));
    }

    /// Lets go of a connection that has ended.
    fn remove(&self, link: &Arc<Link>) {
        let order = self.order.lock();
        link.end();
        self.metrics.other.closed.add(1);
        let mut links = self.links.write();
        let current = links.get(&link.peer.node).is_some_and(|current| Arc::ptr_eq(current, link));
        if current {
            links.remove(&link.peer.node);
        }
        drop(links);
        if current {
            self.handlers.notify(PeerEvent::Closed(link.peer));
        }
        drop(order);
        self.known.lock().wake(link.peer.node);
    }

    /// Keeps up the connection with a peer until it is forgotten.
    pub(crate) fn keep(self: &Arc<Self>, peer: Arc<Peer>) {
        tokio::spawn(crate::dial::keep(self.clone(), peer));
    }

    /// Closes a connection that this node refuses, and says so.
    pub(crate) fn refuse(&self, connection: &Connection, peer: Option<NodeId>, refusal: Refusal, text: &str) {
        self.metrics.refused(refusal);
        if let Some(peer) = peer.filter(|_| refusal.is_of_the_home()) {
            self.note_impostor(peer, connection, text);
        }
        let code = VarInt::from_u32(u32::from(refusal as u8));
        connection.close(code, text.as_bytes());
        if self.may_log(refusal) {
            let (address, reason) = (canonical_text(connection), refusal.name());
            let peer = peer.map_or_else(String::new, |peer| peer.to_string());
            tracing::warn!(%address, %peer, reason, "refused the connection of a node: {text}");
        }
    }

    fn note_impostor(&self, peer: NodeId, connection: &Connection, text: &str) {
        let mut impostors = self.impostors.lock();
        if impostors.len() < MAX_IMPOSTORS || impostors.contains_key(&peer) {
            let address = crate::link::canonical(connection.remote_address());
            impostors.insert(peer, Impostor { node: peer, address, at: Instant::now(), reason: text.into() });
        }
    }

    /// Starts of other nodes that were refused here for their home, the last of each node.
    pub(crate) fn impostors(&self) -> Vec<Impostor> {
        self.impostors.lock().values().cloned().collect()
    }

    /// Notes that another node, which its certificate has shown to be `peer`, refused a connection with this one.
    pub(crate) fn refused_by(&self, peer: Option<NodeId>, address: SocketAddr, refusal: Refusal, text: &str) {
        self.metrics.refused_by_peer(refusal);
        if let Some(peer) = peer.filter(|_| refusal == Refusal::Forgotten) {
            self.forgotten_by.send_if_modified(|told| told.len() < MAX_PEERS && told.insert(peer));
        }
        if let Some(peer) = peer.filter(|_| refusal.is_of_the_home()) {
            self.disowned_by
                .send_if_modified(|told| told.len() < MAX_PEERS && told.insert(peer, text.into()).is_none());
        }
        if self.may_log(refusal) {
            let says = quoted(text);
            tracing::warn!(%address, reason = refusal.name(), says, "a node refused the connection of this node");
        }
    }

    /// Notes that a handshake failed, if it did for a certificate.
    pub(crate) fn distrusted(&self, address: SocketAddr, error: &ConnectionError) {
        if is_distrust(error) && self.may_log(Refusal::WrongIdentity) {
            // Before the handshake is done, anybody can have written the reason of a close.
            let error = quoted(&error.to_string());
            tracing::warn!(%address, error, "a node and this one do not trust each other: the certificate of one is not of this cluster, or has expired");
        }
    }

    fn may_log(&self, refusal: Refusal) -> bool {
        let place = Refusal::ALL.iter().position(|each| *each == refusal);
        let throttle = place.and_then(|place| self.throttles.get(place));
        throttle.is_some_and(|throttle| throttle.allows(Instant::now(), LOG_EVERY))
    }
}

fn canonical_text(connection: &Connection) -> String {
    crate::link::canonical(connection.remote_address()).to_string()
}

/// Waits for a connection's end and lets go of it.
async fn supervise(inner: Arc<Inner>, link: Arc<Link>) {
    let reason = link.connection.closed().await;
    tracing::debug!(peer = %link.peer, reason = quoted(&reason.to_string()), "the connection ended");
    if let Some((refusal, text)) = Refusal::of(&reason) {
        inner.refused_by(Some(link.peer.node), link.address(), refusal, &text);
    }
    inner.remove(&link);
}

/// Closes the lesser of two connections once what is under way on it had time to end.
fn retire(link: Arc<Link>) {
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(LINGER) => link.close(CLOSE_DUPLICATE, "there is another connection"),
            _ended = link.connection.closed() => {}
        }
    });
}
