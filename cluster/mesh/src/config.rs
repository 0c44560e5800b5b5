//! What a mesh has to know before it starts, and why it may not.

use crate::limits::IDLE_TIMEOUT;
use octopussy_core::ids::NodeId;
use octopussy_core::lineage::{Conflict, Lineage};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// How a node shows who it is, and whom it trusts.
pub struct MeshCertificates {
    /// The cluster's authorities, the one that signs first: while one takes the place of another there are several. Of a peer that this
    /// node does not know one of them must have signed the certificate; whom it knows ([`MeshPort::learn`](octopussy_core::ports::MeshPort::learn))
    /// it recognises by the key.
    pub authorities: Vec<CertificateDer<'static>>,
    /// This node's certificate, good for servers and clients, signed by the first authority. The node's id follows from its key.
    pub certificate: CertificateDer<'static>,
    /// The first authority's certificate, signed by others: with it, whoever trusts one of these trusts this node.
    pub crosses: Vec<CertificateDer<'static>>,
    /// The private key of the certificate.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for MeshCertificates {
    fn clone(&self) -> Self {
        let Self { authorities, certificate, crosses, key } = self;
        Self {
            authorities: authorities.clone(),
            certificate: certificate.clone(),
            crosses: crosses.clone(),
            key: key.clone_key(),
        }
    }
}

impl MeshCertificates {
    /// What the node shows: its certificate, and everything that leads from it to an authority that somebody may trust.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        let leads = self.crosses.iter().chain(&self.authorities).cloned();
        std::iter::once(self.certificate.clone()).chain(leads).collect()
    }
}

impl std::fmt::Debug for MeshCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeshCertificates")
    }
}

/// Remembers which lives of other nodes were met, so that an old one, or a copy, is recognised even after a stop of everything.
pub trait LifeMemory: Send + Sync + std::fmt::Debug {
    /// Judges a life before its node is connected, and remembers it, on the disk, when it may be. Blocks.
    ///
    /// # Errors
    /// [`Conflict`]: the node is to be refused.
    fn meet(&self, node: NodeId, lineage: &Lineage) -> Result<(), Conflict>;
}

/// What a mesh has to know.
#[derive(Debug, Clone)]
pub struct MeshConfig {
    /// Where it listens; port 0 takes any free one. An unspecified IPv6 address also takes IPv4.
    pub listen: SocketAddr,
    /// Where peers may reach it, told to them when they connect. May be empty: peers then use the address they see.
    pub advertise: Vec<SocketAddr>,
    /// The cluster's id. Nodes of another cluster are refused.
    pub cluster: Arc<str>,
    /// The lives of this node; the epoch of the present one is larger than that of the last.
    pub lineage: Lineage,
    /// Remembers the lives of the others. Without it only those of the present connections count.
    pub memory: Option<Arc<dyn LifeMemory>>,
    /// The oldest and the newest wire version this node understands. A peer whose range has none in common is refused.
    pub versions: RangeInclusive<u16>,
    /// How this node shows who it is.
    pub certificates: MeshCertificates,
    /// Whether nobody is served before there is a guard ([`MeshPort::guard`](octopussy_core::ports::MeshPort::guard)). Without
    /// one, whoever has a certificate of the authority may ask everything: for tests and measurements.
    pub guarded: bool,
    /// How often an idle connection is probed. At most a third of `idle_timeout`.
    pub keep_alive: Duration,
    /// After what silence a connection is given up.
    pub idle_timeout: Duration,
}

impl MeshConfig {
    /// A guarded configuration with the usual timings and wire version 1, of a node whose lives have no ids.
    #[must_use]
    pub fn new(listen: SocketAddr, cluster: &str, boot: u64, certificates: MeshCertificates) -> Self {
        Self {
            listen,
            advertise: Vec::new(),
            cluster: Arc::from(cluster),
            lineage: Lineage::numbered(boot),
            memory: None,
            versions: 1..=1,
            certificates,
            guarded: true,
            keep_alive: Duration::from_millis(750),
            idle_timeout: IDLE_TIMEOUT,
        }
    }
}

/// The mesh did not start. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}/udp")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The certificates are of no use.
    #[error("the certificates of this node cannot be used: {0}")]
    Certificates(String),
    /// The configuration contradicts itself.
    #[error("the configuration of the mesh is wrong: {0}")]
    Config(&'static str),
}
