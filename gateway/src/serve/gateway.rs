//! The three listeners of a node.

use super::Context;
use super::acceptor::Bounded;
use super::doors::{Bounds, Doors};
use crate::config::{ConfigError, GatewayConfig, TlsMode};
use crate::{rest, ws};
use axum::Router;
use axum_server::Handle;
use axum_server::accept::DefaultAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use octopussy_core::ports::{ObservabilityPort, OrchestratorPort, SecurityPort};
use octopussy_core::time::Clock;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is kept of the stopping time for closing what did not end by itself.
const LAST_CALL: Duration = Duration::from_millis(250);
/// Connections of the metrics port: scrapers and probes of this machine.
const METRICS_CONNECTIONS: usize = 64;

/// What the listeners are made from.
pub struct GatewayParts {
    /// The section `gateway`.
    pub config: GatewayConfig,
    /// Certificate and key; needed unless `gateway.tls` is off.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What is asked.
    pub orchestrator: Arc<dyn OrchestratorPort>,
    /// Who says who somebody is.
    pub security: Arc<dyn SecurityPort>,
    /// What is told of requests.
    pub observability: Arc<dyn ObservabilityPort>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whether this node is a guest, which serves nothing but its status.
    pub guest: bool,
}

/// Where the listeners are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// REST and the OpenAI-compatible API.
    pub rest: SocketAddr,
    /// The WebSocket.
    pub ws: SocketAddr,
    /// Metrics and health, plain HTTP.
    pub metrics: SocketAddr,
    /// Whether REST and WebSocket speak TLS.
    pub tls: bool,
}

/// The listeners could not be opened; none is open.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The settings do not fit together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// TLS without a certificate.
    #[error("gateway.tls is on and there is no certificate")]
    NoCertificate,
    /// Another program has the port.
    #[error(
        "{purpose}: port {port} on {ip} is in use by another program: stop that one, set gateway.{setting}, or start this \
         node with --port-offset 100"
    )]
    InUse {
        /// What the port is for.
        purpose: &'static str,
        /// Which setting names it.
        setting: &'static str,
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error("{purpose}: {address} cannot be listened on ({error}): check gateway.bind and gateway.{setting}")]
    Unusable {
        /// What the port is for.
        purpose: &'static str,
        /// Which setting names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
}

/// Some connections did not end in time and were cut.
#[derive(Debug, thiserror::Error)]
#[error("{0} connections did not end in time and were cut")]
pub(crate) struct CutError(usize);

/// The open listeners.
pub struct Gateway {
    context: Arc<Context>,
    addresses: Addresses,
    servers: Vec<Serving>,
}

struct Serving {
    handle: Handle<SocketAddr>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Opens the listeners.
    ///
    /// # Errors
    /// [`BindError`]; no listener stays open.
    pub async fn start(parts: GatewayParts) -> Result<Self, BindError> {
        let GatewayParts { config, tls, orchestrator, security, observability, clock, guest } = parts;
        config.check()?;
        let tls = match (config.tls, tls) {
            (TlsMode::Off, _) => None,
            (TlsMode::On, None) => return Err(BindError::NoCertificate),
            (TlsMode::On, Some(tls)) => Some(tls),
        };
        let metrics_ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let rest_listener = bind("REST", "rest_port", config.bind, config.shifted(config.rest_port)).await?;
        let ws_listener = bind("WebSocket", "ws_port", config.bind, config.shifted(config.ws_port)).await?;
        let metrics_listener = bind("Metrics", "metrics_port", metrics_ip, config.shifted(config.metrics_port)).await?;
        let addresses =
            Addresses { rest: rest_listener.1, ws: ws_listener.1, metrics: metrics_listener.1, tls: tls.is_some() };
        let limits = config.limits;
        let header = Duration::from_secs(limits.header_seconds);
        let bounds = Bounds {
            connections: limits.connections,
            of_one_address: limits.connections_per_address,
            first_request: header,
            quiet: Duration::from_secs(limits.keep_alive_seconds),
        };
        let on_metrics = Bounds { connections: limits.connections.min(METRICS_CONNECTIONS), ..bounds };
        let context = Arc::new(Context::new(orchestrator, security, observability, clock, limits, guest));
        // HTTP/2 would need the extended CONNECT for WebSockets, which few clients speak.
        let rest_tls = tls.as_ref().map(|tls| with_protocols(tls, &[b"h2", b"http/1.1"]));
        let ws_tls = tls.as_ref().map(|tls| with_protocols(tls, &[b"http/1.1"]));
        let times = Times { header, quiet: bounds.quiet };
        let servers = vec![
            serve(rest_listener.0, rest::router(&context), rest_tls, Doors::new("REST", bounds), times),
            serve(ws_listener.0, ws::router(&context), ws_tls, Doors::new("WebSocket", bounds), times),
            serve(metrics_listener.0, rest::metrics_router(&context), None, Doors::new("Metrics", on_metrics), times),
        ];
        tracing::info!(rest = %addresses.rest, ws = %addresses.ws, metrics = %addresses.metrics, tls = addresses.tls,
            "the gateway listens");
        Ok(Self { context, addresses, servers })
    }

    /// Where the listeners are, with the ports that were really taken.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Stops listening, lets requests finish and streams end themselves, and cuts what is left after `within`.
    ///
    /// # Errors
    /// When connections had to be cut.
    pub(crate) async fn stop(&mut self, within: Duration) -> Result<(), CutError> {
        self.context.stopping.cancel();
        self.context.sockets.close();
        let grace = within.saturating_sub(LAST_CALL);
        for server in &self.servers {
            server.handle.graceful_shutdown(Some(grace));
        }
        let all = async {
            for server in &mut self.servers {
                // A server that panicked has ended, too.
                let _ = (&mut server.task).await;
            }
            self.context.sockets.wait().await;
        };
        let ended = tokio::time::timeout(grace, all).await.is_ok();
        if ended {
            self.servers.clear();
            return Ok(());
        }
        let open = self.servers.iter().map(|server| server.handle.connection_count()).sum::<usize>()
            + self.context.sockets.len();
        self.abort_all();
        if open == 0 { Ok(()) } else { Err(CutError(open)) }
    }

    /// Waits until no WebSocket is open.
    #[cfg(test)]
    pub(crate) async fn sockets_idle(&self) {
        // Closing the tracker only lets it report that it is empty; it still takes new sockets.
        self.context.sockets.close();
        self.context.sockets.wait().await;
    }

    /// Closes everything at once.
    pub(crate) fn abort(mut self) {
        self.abort_all();
    }

    fn abort_all(&mut self) {
        self.context.stopping.cancel();
        for server in self.servers.drain(..) {
            server.handle.shutdown();
            server.task.abort();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.abort_all();
    }
}

async fn bind(
    purpose: &'static str,
    setting: &'static str,
    ip: IpAddr,
    port: u16,
) -> Result<(TcpListener, SocketAddr), BindError> {
    let address = SocketAddr::new(ip, port);
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            BindError::InUse { purpose, setting, ip, port }
        } else {
            BindError::Unusable { purpose, setting, address, error }
        }
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let taken = listener.local_addr().map_err(failed)?;
    Ok((listener, taken))
}

fn with_protocols(tls: &rustls::ServerConfig, protocols: &[&[u8]]) -> RustlsConfig {
    let mut tls = tls.clone();
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    RustlsConfig::from_config(Arc::new(tls))
}

/// How long a connection may be quiet. The first request is bounded by the doors.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// An HTTP/2 connection that does not answer a ping within this time is closed.
    header: Duration,
    /// An HTTP/1 connection may take this long until its next request has come whole: its server counts the pause between two
    /// requests as part of the second one's head.
    quiet: Duration,
}

fn serve(listener: TcpListener, router: Router, tls: Option<RustlsConfig>, doors: Arc<Doors>, times: Times) -> Serving {
    let handle = Handle::new();
    let mut server = axum_server::Server::<SocketAddr>::from_listener(listener).handle(handle.clone());
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(times.quiet);
    server.http_builder().http2().timer(TokioTimer::new()).keep_alive_interval(Some(times.header));
    let service = router.into_make_service();
    let task = tokio::spawn(async move {
        let served = match tls {
            Some(tls) => {
                let acceptor = Bounded::new(RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE), doors);
                server.acceptor(acceptor).serve(service).await
            }
            None => server.acceptor(Bounded::new(DefaultAcceptor::new(), doors)).serve(service).await,
        };
        if let Err(error) = served {
            tracing::error!(%error, "a listener has ended");
        }
    });
    Serving { handle, task }
}
