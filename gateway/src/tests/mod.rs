//! The gateway over real sockets, with a node behind it that the tests steer.

mod clock;
mod cluster;
mod documents;
mod doors;
mod openai;
mod rest;
mod sockets;
mod stand_in;
mod streams;
mod tokens;

use crate::{Addresses, Gateway, GatewayConfig, GatewayParts, Limits};
use clock::MachineClock;
use futures::future::BoxFuture;
use octopussy_core::ports::NoObservability;
use rustls::pki_types::PrivateKeyDer;
use stand_in::Node;
pub(crate) use stand_in::agent_record;
use std::sync::Arc;
use std::time::Duration;
use tokens::Tokens;

/// Long enough for a loaded machine, short enough to notice that something hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway with a steerable node behind it, and clients that trust it.
struct Rig {
    node: Arc<Node>,
    gateway: Gateway,
    at: Addresses,
    http: reqwest::Client,
    tls: Arc<rustls::ClientConfig>,
}

fn config() -> GatewayConfig {
    GatewayConfig { rest_port: 0, ws_port: 0, metrics_port: 0, ..GatewayConfig::default() }
}

async fn rig() -> Rig {
    rig_with(Limits::default()).await
}

async fn rig_with(limits: Limits) -> Rig {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let http = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_der(&certificate).unwrap()])
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let node = Arc::new(Node::default());
    let gateway = Gateway::start(GatewayParts {
        config: GatewayConfig { limits, ..config() },
        tls: Some(Arc::new(server)),
        orchestrator: node.clone(),
        security: Arc::new(Tokens::default()),
        observability: Arc::new(NoObservability),
        clock: Arc::new(MachineClock),
        guest: false,
    })
    .await
    .unwrap();
    let at = gateway.addresses();
    Rig { node, gateway, at, http, tls: Arc::new(tls) }
}

impl Rig {
    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.at.rest.port())
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(self.url(path)).bearer_auth("admin")
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(self.url(path)).bearer_auth("admin")
    }

    fn put(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.put(self.url(path)).bearer_auth("admin")
    }

    fn delete(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.delete(self.url(path)).bearer_auth("admin")
    }

    async fn json(&self, request: reqwest::RequestBuilder) -> (u16, serde_json::Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        let json = if body.is_empty() { serde_json::Value::Null } else { serde_json::from_slice(&body).unwrap() };
        (status, json)
    }
}

/// Waits for something, but not forever.
async fn soon<T>(what: &str, future: impl Future<Output = T> + Send) -> T {
    let future: BoxFuture<'_, T> = Box::pin(future);
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not happen in time"))
}
