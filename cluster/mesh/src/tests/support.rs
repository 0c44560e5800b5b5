//! Nodes, handlers and waiting.

use crate::{Mesh, MeshCertificates, MeshConfig, node_id};
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{FrameHandler, LaneHandler, MeshPort, MeshStream, PeerEvent, PeerObserver, StreamHandler};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

pub(super) const LONG: Duration = Duration::from_secs(20);

/// An authority that signs nodes.
pub(super) struct Authority {
    pub(super) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A node that is to be, with its key.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) certificates: MeshCertificates,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = Self::params();
        let der = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        Self { der, issuer }
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    }

    /// The certificate of another authority, signed by this one.
    pub(super) fn cross(&self, other: &Self) -> CertificateDer<'static> {
        Self::params().signed_by(other.issuer.key(), &self.issuer).unwrap().der().clone()
    }

    pub(super) fn node(&self) -> Node {
        self.certify(&KeyPair::generate().unwrap())
    }

    /// A new certificate for the key of a node.
    pub(super) fn renew(&self, node: &Node) -> Node {
        self.certify(&KeyPair::try_from(&node.certificates.key).unwrap())
    }

    fn certify(&self, key: &KeyPair) -> Node {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(key, &self.issuer).unwrap().der().clone();
        let certificates = MeshCertificates {
            authorities: vec![self.der.clone()],
            certificate,
            crosses: Vec::new(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        };
        Node { id: node_id(&certificates.certificate).unwrap(), certificates }
    }

    /// Two nodes, the one with the lower id first.
    pub(super) fn pair(&self) -> (Node, Node) {
        let (a, b) = (self.node(), self.node());
        if a.id < b.id { (a, b) } else { (b, a) }
    }
}

impl Node {
    pub(super) fn config(&self, boot: u64) -> MeshConfig {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        MeshConfig { guarded: false, ..MeshConfig::new(listen, "test", boot, self.certificates.clone()) }
    }

    pub(super) fn bind(&self, boot: u64) -> Arc<Mesh> {
        Mesh::bind(self.config(boot)).unwrap()
    }
}

/// Two connected meshes, the one with the lower id first.
pub(super) async fn two() -> (Arc<Mesh>, Arc<Mesh>) {
    let (a, b) = Authority::new().pair();
    let (a, b) = (a.bind(1), b.bind(1));
    connect(&a, &b).await;
    (a, b)
}

pub(super) async fn connect(a: &Mesh, b: &Mesh) {
    a.learn(id(b), &[b.local_addr().unwrap()]);
    both_connected(a, b).await;
}

pub(super) async fn both_connected(a: &Mesh, b: &Mesh) {
    until("both are connected", || a.is_connected(id(b)) && b.is_connected(id(a))).await;
}

pub(super) fn id(mesh: &Mesh) -> NodeId {
    mesh.incarnation().node
}

/// Waits until `condition` holds; fails after a while.
pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

pub(super) fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Echoes, after a gate has been opened for requests that begin with "wait". "refuse" is refused, "panic" panics, "long 7" is
/// answered with 7 bytes.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Gated>);

#[derive(Default)]
struct Gated {
    open: Notify,
    begun: Mutex<usize>,
}

impl Gate {
    pub(super) fn handler(&self) -> Arc<dyn LaneHandler> {
        Arc::new(self.clone())
    }

    /// How many requests have come.
    pub(super) fn begun(&self) -> usize {
        *self.0.begun.lock()
    }

    pub(super) fn open_one(&self) {
        self.0.open.notify_one();
    }

    pub(super) fn open_all(&self) {
        self.0.open.notify_waiters();
    }
}

impl LaneHandler for Gate {
    fn handle(&self, _: NodeId, request: Bytes, _: Duration) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        *self.0.begun.lock() += 1;
        let gate = self.clone();
        Box::pin(async move {
            if request.starts_with(b"wait") {
                gate.0.open.notified().await;
            }
            assert!(!request.starts_with(b"panic"), "as asked");
            if let Some(bytes) = request.strip_prefix(b"long ") {
                let bytes = String::from_utf8_lossy(bytes).parse().expect("a number");
                return Ok((0..bytes).map(|at: usize| at.to_le_bytes()[at % 3]).collect());
            }
            if request.starts_with(b"refuse") { Err(Arc::from("as asked")) } else { Ok(request) }
        })
    }
}

/// Keeps what it was told.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) events: Mutex<Vec<PeerEvent>>,
    pub(super) frames: Mutex<Vec<(NodeId, Bytes)>>,
}

impl PeerObserver for Recorder {
    fn on_peer(&self, event: PeerEvent) {
        self.events.lock().push(event);
    }
}

impl FrameHandler for Recorder {
    fn handle(&self, from: NodeId, frame: Bytes) {
        self.frames.lock().push((from, frame));
    }
}

/// Sends back what comes on a stream.
pub(super) struct Mirror;

impl StreamHandler for Mirror {
    fn handle(&self, _: NodeId, mut stream: MeshStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while let Ok(Some(frame)) = stream.source.next().await {
                if stream.sink.send(frame).await.is_err() {
                    return;
                }
            }
            let _ended = stream.sink.finish().await;
        })
    }
}
