//! The mesh as the rest of the node sees it.

use crate::config::{BindError, MeshCertificates, MeshConfig};
use crate::inner::{Impostor, Inner};
use crate::join::JoinHandler;
use crate::known::Known;
use crate::limits::{BIDI_STREAMS, DATAGRAM_BYTES, GOSSIP_STREAMS, STREAM_WINDOW};
use crate::metrics::MeshMetrics;
use crate::refusal::{CLOSE_BYE, Refusal};
use crate::tls::KnownKeys;
use crate::{accept, socket, stream, tls};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::lineage::Lineage;
use octopussy_core::ports::{
    Admission, FrameHandler, Incarnation, Lane, LaneHandler, MAX_DATAGRAM_BYTES, MAX_FRAME_BYTES, MeshError, MeshGuard,
    MeshPort, MeshStream, PeerObserver, PeerView, StreamHandler, StreamKind,
};
use quinn::{ClientConfig, Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig, VarInt};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How much a peer may send before it has greeted: a greeting, or a request to join.
const GREETING_WINDOW: u32 = 128 * 1024;

/// How long saying goodbye may take.
const GOODBYE_LIMIT: Duration = Duration::from_millis(500);

/// The mesh over QUIC. Dropping it ends it without a goodbye; [`Mesh::close`] is better.
pub struct Mesh {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mesh").field("me", &self.inner.me).finish_non_exhaustive()
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.inner.stopping.cancel();
        self.inner.endpoint.close(CLOSE_BYE, b"");
        self.inner.handlers.clear();
    }
}

impl Mesh {
    /// Binds the socket and begins to accept connections. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// [`BindError`]: the address is in use, the certificates do not fit together, or the timings contradict each other.
    pub fn bind(config: MeshConfig) -> Result<Arc<Self>, BindError> {
        if config.versions.is_empty() || config.keep_alive * 3 > config.idle_timeout {
            return Err(BindError::Config(
                "versions must not be empty, and keep_alive at most a third of idle_timeout",
            ));
        }
        let node = tls::node_id(&config.certificates.certificate).map_err(BindError::Certificates)?;
        let me = Incarnation { node, boot: config.lineage.life().epoch };
        let transport = transport(&config)?;
        let known = Known::default();
        let server = server(&config.certificates, &transport, &known.keys)?;
        let client = client(&config.certificates, &transport, &known.keys)?;
        let failed = |error| BindError::Listen { address: config.listen, error };
        let socket = socket::bind(config.listen).map_err(failed)?;
        let endpoint =
            Endpoint::new(EndpointConfig::default(), Some(server), socket, Arc::new(TokioRuntime)).map_err(failed)?;
        let inner = Inner::new(me, config, endpoint, client, known);
        tokio::spawn(accept::accept(inner.clone()));
        Ok(Arc::new(Self { inner }))
    }

    /// Where the mesh listens.
    ///
    /// # Errors
    /// What the system says; it does not fail while the mesh is open.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.inner.endpoint.local_addr()
    }

    /// Lets nodes without a certificate ask to join from now on. Until then they are refused.
    pub fn serve_join(&self, handler: Arc<dyn JoinHandler>) {
        *self.inner.join.write() = Some(handler);
    }

    /// Shows new certificates, and trusts their authorities, on connections made from now on. The key has to be the same, since the node's id follows from
    /// it.
    ///
    /// # Errors
    /// [`BindError::Certificates`]; the old ones stay in use.
    pub fn renew(&self, certificates: &MeshCertificates) -> Result<(), BindError> {
        let node = tls::node_id(&certificates.certificate).map_err(BindError::Certificates)?;
        if node != self.inner.me.node {
            return Err(BindError::Certificates("the key is another one, and with it the node's id".to_owned()));
        }
        let transport = transport(&self.inner.config)?;
        let known = self.inner.known.lock().keys.clone();
        let (server, client) = (server(certificates, &transport, &known)?, client(certificates, &transport, &known)?);
        self.inner.endpoint.set_server_config(Some(server));
        *self.inner.client.write() = client;
        Ok(())
    }

    /// Sees who tells this node that it has been removed from the cluster ([`crate::Refusal::Forgotten`]). Each of them holds a
    /// certificate of the cluster's authority; whether its word counts is for the caller to judge.
    #[must_use]
    pub fn watch_forgotten_by(&self) -> watch::Receiver<BTreeSet<NodeId>> {
        self.inner.forgotten_by.subscribe()
    }

    /// Sees who tells this node that its identity is in use elsewhere, or that its home is an old one
    /// ([`crate::Refusal::IdentityInUse`], [`crate::Refusal::StaleIncarnation`]), and in which words. It is this node itself that
    /// says so when another start of it runs.
    #[must_use]
    pub fn watch_disowned_by(&self) -> watch::Receiver<BTreeMap<NodeId, Arc<str>>> {
        self.inner.disowned_by.subscribe()
    }

    /// The nodes of which a copy was refused here.
    #[must_use]
    pub fn impostors(&self) -> Vec<Impostor> {
        self.inner.impostors()
    }

    /// Says from now on how far this node's present life has come.
    pub fn tell_lineage(&self, lineage: Lineage) {
        *self.inner.lineage.write() = lineage;
    }

    /// Dials addresses at which this node was reached before. When another start of it answers there, it refuses this one:
    /// [`Mesh::watch_disowned_by`] shows that.
    pub async fn look_for_itself(&self, addresses: &[SocketAddr]) {
        crate::dial::itself(&self.inner, addresses).await;
    }

    /// What the mesh has counted.
    #[must_use]
    pub fn metrics(&self) -> MeshMetrics {
        self.inner.metrics.snapshot(&self.inner.links())
    }

    /// Says goodbye to all peers and ends: calls under way and later ones fail with [`MeshError::Stopping`] or
    /// [`MeshError::Lost`]. Takes half a second at most.
    pub async fn close(&self) {
        self.inner.stopping.cancel();
        self.inner.endpoint.close(CLOSE_BYE, b"the node is stopping");
        let _told = tokio::time::timeout(GOODBYE_LIMIT, self.inner.endpoint.wait_idle()).await;
        self.inner.handlers.clear();
    }
}

fn transport(config: &MeshConfig) -> Result<Arc<TransportConfig>, BindError> {
    let idle = IdleTimeout::try_from(config.idle_timeout).map_err(|_| BindError::Config("idle_timeout is too long"))?;
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(config.keep_alive))
        .max_idle_timeout(Some(idle))
        .max_concurrent_bidi_streams(VarInt::from_u32(BIDI_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(GOSSIP_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        // Raised once the peer has greeted. From then on streams alone are bounded, so that none waits for another.
        .receive_window(VarInt::from_u32(GREETING_WINDOW))
        .send_window(u64::from(STREAM_WINDOW) * u64::from(BIDI_STREAMS))
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BYTES);
    Ok(Arc::new(transport))
}

fn server(
    certificates: &MeshCertificates,
    transport: &Arc<TransportConfig>,
    known: &KnownKeys,
) -> Result<ServerConfig, BindError> {
    let mut server = ServerConfig::with_crypto(Arc::new(tls::server(certificates, known)?));
    server.transport_config(transport.clone());
    Ok(server)
}

fn client(
    certificates: &MeshCertificates,
    transport: &Arc<TransportConfig>,
    known: &KnownKeys,
) -> Result<ClientConfig, BindError> {
    let mut client = ClientConfig::new(Arc::new(tls::client(certificates, known)?));
    client.transport_config(transport.clone());
    Ok(client)
}

#[async_trait]
impl MeshPort for Mesh {
    fn incarnation(&self) -> Incarnation {
        self.inner.me
    }

    fn call(
        &self,
        to: NodeId,
        lane: Lane,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'static, Result<Bytes, MeshError>> {
        let deadline = Instant::now() + within;
        self.inner.metrics.lane(lane).calls.add(1);
        let begun = check(request.len(), MAX_FRAME_BYTES)
            .and_then(|()| self.inner.link(to))
            .and_then(|link| link.lane(lane).begin(&link.connection, request, deadline, within));
        match begun {
            Ok(ticket) => Box::pin(ticket.wait(deadline)),
            Err(error) => {
                self.inner.metrics.outcome(lane, &error);
                Box::pin(std::future::ready(Err(error)))
            }
        }
    }

    fn datagram(&self, to: NodeId, frame: Bytes) -> Result<(), MeshError> {
        check(frame.len(), MAX_DATAGRAM_BYTES)?;
        self.inner.link(to)?.datagram(frame)
    }

    fn gossip(&self, to: NodeId, frame: Bytes) -> Result<(), MeshError> {
        check(frame.len(), MAX_FRAME_BYTES)?;
        self.inner.link(to)?.gossip(frame)
    }

    async fn open(&self, to: NodeId, kind: StreamKind) -> Result<MeshStream, MeshError> {
        let link = self.inner.link(to)?;
        let opened = stream::open(to, kind, &link.connection, link.streams.clone()).await?;
        self.inner.metrics.other.streams_opened.add(1);
        Ok(opened)
    }

    fn serve(&self, lane: Lane, handler: Arc<dyn LaneHandler>) {
        self.inner.handlers.serve(lane, handler);
    }

    fn serve_streams(&self, kind: StreamKind, handler: Arc<dyn StreamHandler>) {
        self.inner.handlers.serve_streams(kind, handler);
    }

    fn on_datagram(&self, handler: Arc<dyn FrameHandler>) {
        self.inner.handlers.on_datagram(handler);
    }

    fn on_gossip(&self, handler: Arc<dyn FrameHandler>) {
        self.inner.handlers.on_gossip(handler);
    }

    fn guard(&self, guard: Arc<dyn MeshGuard>) {
        self.inner.handlers.guard(Arc::clone(&guard));
        // Whoever came before there was a guard has been heard by nobody.
        for link in self.inner.links() {
            let admission = guard.admission(link.peer.node);
            tokio::spawn(async move {
                let refusal = match admission.await {
                    Admission::Known => return,
                    Admission::Stranger => Refusal::Stranger,
                    Admission::Removed => Refusal::Forgotten,
                };
                link.close(VarInt::from_u32(u32::from(refusal as u8)), "it is no member of the cluster");
            });
        }
    }

    fn learn(&self, node: NodeId, addresses: &[SocketAddr]) {
        if node == self.inner.me.node || self.inner.stopping.is_cancelled() {
            return;
        }
        let fresh = self.inner.known.lock().learn(node, addresses, self.inner.stopping.child_token());
        if let Some(peer) = fresh {
            self.inner.keep(peer);
        }
    }

    fn forget(&self, node: NodeId) {
        self.inner.known.lock().forget(node);
        if let Ok(link) = self.inner.link(node) {
            let code = VarInt::from_u32(u32::from(Refusal::Forgotten as u8));
            link.close(code, "it has been removed from the cluster");
        }
    }

    fn peers(&self) -> Vec<PeerView> {
        self.inner.links().iter().map(|link| link.view()).collect()
    }

    fn is_connected(&self, node: NodeId) -> bool {
        self.inner.is_connected(node)
    }

    fn observe(&self, observer: Arc<dyn PeerObserver>) {
        self.inner.handlers.observe(observer);
    }
}

fn check(actual: usize, limit: usize) -> Result<(), MeshError> {
    if actual > limit { Err(MeshError::TooLarge { actual, limit }) } else { Ok(()) }
}

/// What tests look at and break.
#[cfg(test)]
impl Mesh {
    pub(crate) fn connection(&self, node: NodeId) -> Option<quinn::Connection> {
        self.inner.link(node).ok().map(|link| link.connection.clone())
    }

    /// Counts what still holds on to the mesh.
    pub(crate) fn watch(&self) -> impl Fn() -> usize + use<> {
        let inner = Arc::downgrade(&self.inner);
        move || inner.strong_count()
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.inner.endpoint.open_connections()
    }

    pub(crate) fn break_lane(&self, node: NodeId, lane: Lane) {
        if let Ok(link) = self.inner.link(node) {
            link.lane(lane).corrupt();
        }
    }

    pub(crate) async fn dial_now(&self, node: NodeId, address: SocketAddr) {
        crate::dial::once(&self.inner, node, address).await;
    }
}
