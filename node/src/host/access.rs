//! The CLI, number 26: what lets the command line reach this node. It writes where the node listens and with which token it may be
//! spoken to, keeps that token from running out, and takes the node's file away when the node stops.

use super::services::ClusterServices;
use crate::client::Credentials;
use crate::home::Home;
use crate::identity::PresentIdentity;
use crate::private_file;
use crate::process::{ClusterFacts, NodeFile, start_ticks};
use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use octopussy_core::ports::{
    ApiTokensPort, Asker, NewApiToken, OrchestratorPort, PrincipalRole, SecretsPort, SecurityPort,
};
use octopussy_core::time::Clock;
use octopussy_gateway::Addresses;
use octopussy_lifecycle::{
    Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired, provides, requires,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the local user's token is good for; it is renewed at a start when less than a third is left.
const TOKEN_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How often it is looked whether the credentials are up to date: a file of a kilobyte is read for it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

static CONTRACT: Contract = Contract {
    id: CapabilityId::Cli,
    provides: &[],
    requires: &[PortId::Secrets, PortId::Security, PortId::Orchestrator, PortId::ApiTokens],
    protocols: &[
        "The credentials are readable by the node's owner alone.",
        "run/node.json is there exactly while the node serves, and is never left by a node that stopped by itself.",
        "Machines are let into the cluster exactly while the node serves.",
    ],
    envelope: Envelope::initial(),
};

static FIRST_CONTRACT: Contract = Contract {
    id: CapabilityId::Cli,
    provides: &[],
    requires: &[PortId::Security],
    protocols: &["The credentials are readable by the node's owner alone."],
    envelope: Envelope::initial(),
};

requires! {
    /// What the command line's access takes.
    pub(super) struct AccessRequires {
        pub(super) secrets: dyn SecretsPort,
        pub(super) security: dyn SecurityPort,
        pub(super) orchestrator: dyn OrchestratorPort,
        pub(super) api_tokens: dyn ApiTokensPort,
    }
}

requires! {
    /// What the first credentials take.
    pub(super) struct FirstAccessRequires {
        pub(super) security: dyn SecurityPort,
    }
}

provides! {
    /// It provides no port: it writes files.
    pub(super) struct AccessProvides {}
}

/// What the access is made from.
pub(super) struct AccessConfig {
    /// The home directory.
    pub(super) home: Home,
    /// Who the node is: it says which authorities clients are to trust.
    pub(super) identity: PresentIdentity,
    /// Where the node listens, once it does.
    pub(super) addresses: Arc<OnceLock<Addresses>>,
    /// The node's place in its cluster, as its file tells it.
    pub(super) cluster: ClusterFacts,
    /// What it does for the cluster.
    pub(super) services: ClusterServices,
}

/// What the first credentials are made from.
pub(super) struct FirstAccessConfig {
    /// The home directory.
    pub(super) home: Home,
    /// The certificate authority that clients are to trust, as PEM.
    pub(super) ca: String,
    /// The node's id.
    pub(super) node: String,
    /// Where the node will listen.
    pub(super) planned: Addresses,
}

/// Where this machine reaches the node.
#[derive(Clone)]
struct Reachable {
    rest: String,
    ws: String,
    metrics: String,
}

impl Reachable {
    fn at(addresses: Addresses) -> Self {
        let (http, ws) = if addresses.tls { ("https", "wss") } else { ("http", "ws") };
        let host = |address: SocketAddr| {
            let ip = match address.ip() {
                ip if !ip.is_unspecified() => ip,
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            SocketAddr::new(ip, address.port())
        };
        Self {
            rest: format!("{http}://{}", host(addresses.rest)),
            ws: format!("{ws}://{}/ws", host(addresses.ws)),
            metrics: format!("http://{}/metrics", host(addresses.metrics)),
        }
    }
}

/// Whose credentials are in this home.
struct Local {
    /// The id of the node, by which the command line knows it.
    node: String,
    /// What they allow.
    role: PrincipalRole,
}

impl Local {
    /// A guest's are good for looking at its status; it signs them itself, with a key that no other node accepts.
    fn of(cluster: &ClusterFacts) -> Self {
        let role = if cluster.guest { PrincipalRole::Viewer } else { PrincipalRole::Admin };
        Self { node: cluster.node.clone(), role }
    }
}

const fn name_of(role: PrincipalRole) -> &'static str {
    match role {
        PrincipalRole::Viewer => "viewer",
        PrincipalRole::User => "user",
        PrincipalRole::Operator => "operator",
        PrincipalRole::Admin => "admin",
    }
}

/// Where other machines reach this node's interfaces: one that listens everywhere is reached where its mesh is.
fn told_to_others(present: Addresses, mesh: &str, here: &str) -> String {
    let everywhere = present.rest.ip().is_unspecified();
    match mesh.parse::<SocketAddr>() {
        Ok(mesh) if everywhere => {
            let scheme = if present.tls { "https" } else { "http" };
            format!("{scheme}://{}", SocketAddr::new(mesh.ip(), present.rest.port()))
        }
        Ok(_) | Err(_) => here.to_owned(),
    }
}

/// The capability before it starts.
pub(super) struct AccessCapability(AccessConfig);

/// The capability while the node serves.
pub(super) struct AccessRunning {
    node_file: Option<PathBuf>,
}

impl Capability for AccessCapability {
    const CONTRACT: &'static Contract = &CONTRACT;
    type Config = AccessConfig;
    type Requires = AccessRequires;
    type Provides = AccessProvides;
    type Running = AccessRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        Ok(Self(config))
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let Wired { inner: Self(config), ports } = wired;
        let present =
            *config.addresses.get().ok_or_else(|| StartError::new("the gateway has not said where it listens"))?;
        let reachable = Reachable::at(present);
        let home = &config.home;
        let who = Local::of(&config.cluster);
        let ca = config.identity.get().client_ca_pem;
        write_credentials(home, &ca, &reachable, &who, ports.security.as_ref(), cx.clock.as_ref())?;
        let renewal = Renewal {
            home: home.clone(),
            identity: config.identity,
            reachable: reachable.clone(),
            who,
            security: ports.security,
            clock: cx.clock.clone(),
            // Those of a guest are good at itself alone.
            api_tokens: (!config.cluster.guest).then_some(ports.api_tokens),
            noted: None,
        };
        tokio::spawn(renewal.run(cx.stopping.clone()));
        let told = told_to_others(present, &config.cluster.mesh, &reachable.rest);
        config.services.begin(ports.secrets, ports.orchestrator, told, &cx.stopping);
        tracing::info!(
            cluster.id = config.cluster.cluster,
            node.id = config.cluster.node,
            node.name = config.cluster.name,
            mesh = config.cluster.mesh,
            url = reachable.rest,
            "listening"
        );
        let pid = std::process::id();
        let node = NodeFile {
            pid,
            started_ticks: start_ticks(pid),
            url: Some(reachable.rest),
            ws_url: Some(reachable.ws),
            metrics_url: Some(reachable.metrics),
            cluster: Some(config.cluster),
        };
        private_file::write_json(&home.node_file(), &node)
            .map_err(|error| StartError::because("cannot write run/node.json", error))?;
        Ok((AccessProvides {}, AccessRunning { node_file: Some(home.node_file()) }))
    }
}

/// The first credentials of a home that is prepared.
pub(super) struct FirstAccessCapability(FirstAccessConfig);

impl Capability for FirstAccessCapability {
    const CONTRACT: &'static Contract = &FIRST_CONTRACT;
    type Config = FirstAccessConfig;
    type Requires = FirstAccessRequires;
    type Provides = AccessProvides;
    type Running = AccessRunning;

    fn initialize(config: Self::Config) -> Result<Self, InitializeError> {
        Ok(Self(config))
    }

    async fn start(wired: Wired<Self>, cx: StartContext) -> Result<(Self::Provides, Self::Running), StartError> {
        let Wired { inner: Self(config), ports } = wired;
        let reachable = Reachable::at(config.planned);
        let who = Local { node: config.node, role: PrincipalRole::Admin };
        write_credentials(&config.home, &config.ca, &reachable, &who, ports.security.as_ref(), cx.clock.as_ref())?;
        Ok((AccessProvides {}, AccessRunning { node_file: None }))
    }
}

/// Keeps the credentials good while the node runs, and their token known to the cluster: it ends soon after the key that signed it is
/// replaced, and at once when somebody revokes it; and the authorities that they name change.
struct Renewal {
    home: Home,
    identity: PresentIdentity,
    reachable: Reachable,
    who: Local,
    security: Arc<dyn SecurityPort>,
    clock: Arc<dyn Clock>,
    /// Where the token is noted as this node's own.
    api_tokens: Option<Arc<dyn ApiTokensPort>>,
    /// The id of the token that was noted last.
    noted: Option<Arc<str>>,
}

impl Renewal {
    async fn run(mut self, stopping: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut authorities = self.identity.watch();
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = look.tick() => {}
                // At once: the node shows a certificate of the new one already.
                changed = authorities.changed() => if changed.is_err() { return },
            }
            let ca = self.identity.get().client_ca_pem;
            let present = Credentials::load(&self.home, None);
            if let Ok(present) = present
                && present.ca == ca
                && self.security.is_current(&present.token)
            {
                self.note(&present.token).await;
                continue;
            }
            let Self { home, reachable, who, security, clock, .. } = &self;
            match write_credentials(home, &ca, reachable, who, security.as_ref(), clock.as_ref()) {
                Ok(()) => tracing::info!("credentials.json has a new token, or names other authorities"),
                Err(error) => tracing::warn!(%error, "credentials.json is not up to date; it is tried again"),
            }
        }
    }
}

impl Renewal {
    /// Has the cluster note the token, unless it has. Until it can, the token is good and not listed.
    async fn note(&mut self, token: &str) {
        let Some(api_tokens) = &self.api_tokens else { return };
        let Ok(principal) = self.security.authenticate(token) else { return };
        if self.noted.as_ref() == Some(&principal.token) {
            return;
        }
        let token = NewApiToken {
            id: principal.token.clone(),
            name: principal.name,
            role: principal.role,
            expires_at: principal.expires_at,
            by: Asker::Node,
        };
        match api_tokens.note(token).await {
            Ok(()) => self.noted = Some(principal.token),
            Err(error) => tracing::debug!(%error, "the token in credentials.json is not noted yet; it is tried again"),
        }
    }
}

fn write_credentials(
    home: &Home,
    ca: &str,
    reachable: &Reachable,
    who: &Local,
    security: &dyn SecurityPort,
    clock: &dyn Clock,
) -> Result<(), StartError> {
    let credentials = Credentials {
        url: reachable.rest.clone(),
        ws_url: reachable.ws.clone(),
        ca: ca.to_owned(),
        node: Some(who.node.clone()),
        token: token(home, who.role, security, clock)?,
    };
    private_file::write_json(&home.credentials(), &credentials)
        .map_err(|error| StartError::because("cannot write credentials.json", error))
}

/// The token so far when it is still good for a while, otherwise a new one.
fn token(
    home: &Home,
    role: PrincipalRole,
    security: &dyn SecurityPort,
    clock: &dyn Clock,
) -> Result<String, StartError> {
    let renew_before = clock.now().plus(TOKEN_LIFETIME / 3);
    // Credentials that are missing or do not parse are replaced; there is nothing in them to lose.
    let present = Credentials::load(home, None).map(|credentials| credentials.token);
    let token = match present {
        Ok(token)
            if security.is_current(&token)
                && security.authenticate(&token).is_ok_and(|who| who.role == role && who.expires_at > renew_before) =>
        {
            token
        }
        Ok(_) | Err(_) => {
            let issued = security.issue_token(name_of(role), role, TOKEN_LIFETIME);
            issued.map(|issued| issued.token).ok_or_else(|| StartError::new("no token can be signed"))?
        }
    };
    Ok(token)
}

impl Running for AccessRunning {
    async fn stop(&mut self, _by: Deadline) -> Result<(), StopError> {
        match self.node_file.take().map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StopError(format!("cannot remove run/node.json: {error}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn cleanup(self) {}
}
