//! Finding members on the local network by multicast DNS (RFC 6762, RFC 6763). Nothing that is heard there is believed: it says where
//! to ask, and whoever answers has to show the authority that the join token names.

use super::hex;
use crate::identity::PresentIdentity;
use mdns_sd::{Receiver, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use octopussy_core::ids::NodeId;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The service type that members announce.
const SERVICE: &str = "_octopussy._udp.local.";
/// The property that says which authority a member is of: the beginning of the fingerprint of its certificate.
const AUTHORITY: &str = "authority";
/// The property that says which cluster it is, for its members and for people who look around.
const CLUSTER: &str = "cluster";
/// How many bytes of the fingerprint are announced: enough to tell clusters apart.
const TAG_BYTES: usize = 8;
/// How long members have to be heard: they answer at once, or after half a second where many do (RFC 6762, section 6).
pub(crate) const LOOK_FOR: Duration = Duration::from_secs(3);
/// How long more members are waited for after the first.
const MORE_WITHIN: Duration = Duration::from_millis(500);
/// How many addresses are taken: whoever shouts loudest on a network must not keep the joining busy for long.
const MAX_FOUND: usize = 8;

/// The local network cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("multicast DNS cannot be used: {0}")]
pub(crate) struct LanError(#[from] mdns_sd::Error);

/// What a member tells the local network.
#[derive(Debug, Clone)]
pub(crate) struct Announcement {
    /// Which node.
    pub(crate) node: NodeId,
    /// Its cluster's id.
    pub(crate) cluster: String,
    /// Under which authority.
    pub(crate) identity: PresentIdentity,
    /// Where its mesh endpoint listens.
    pub(crate) bound: SocketAddr,
}

impl Announcement {
    /// Announces until `stopping` is cancelled, and then says goodbye.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        match ServiceDaemon::new().and_then(|daemon| self.register(&daemon).map(|name| (daemon, name))) {
            Ok((daemon, name)) => {
                tracing::info!(cluster.id = self.cluster, "this node announces itself on the local network");
                stopping.run_until_cancelled(self.follow(&daemon)).await;
                // Whether anybody hears it does not matter: what was announced expires by itself.
                let _ = daemon.unregister(&name);
                let _ = daemon.shutdown();
            }
            Err(error) => tracing::warn!(error = %LanError(error), "this node is not announced on the local network"),
        }
    }

    /// Announces another authority once there is one.
    async fn follow(&self, daemon: &ServiceDaemon) {
        let mut changes = self.identity.watch();
        let mut announced = self.identity.fingerprint();
        while changes.changed().await.is_ok() {
            let present = self.identity.fingerprint();
            if present != announced {
                match self.register(daemon) {
                    Ok(_) => announced = present,
                    Err(error) => tracing::warn!(error = %LanError(error), "the new authority is not announced"),
                }
            }
        }
        // The identity lives as long as the node.
        std::future::pending().await
    }

    fn register(&self, daemon: &ServiceDaemon) -> Result<String, mdns_sd::Error> {
        let service = service(self.node, &self.cluster, &self.identity.fingerprint(), self.bound)?;
        let name = service.get_fullname().to_owned();
        daemon.register(service).map(|()| name)
    }
}

fn service(
    node: NodeId,
    cluster: &str,
    fingerprint: &[u8; 32],
    bound: SocketAddr,
) -> Result<ServiceInfo, mdns_sd::Error> {
    let (name, tag) = (node.to_string(), tag(fingerprint));
    let host = format!("{name}.local.");
    let properties = [(AUTHORITY, tag.as_str()), (CLUSTER, cluster)];
    let port = bound.port();
    if bound.ip().is_unspecified() {
        // Each network hears the addresses that this machine has on it, also after they have changed.
        return ServiceInfo::new(SERVICE, &name, &host, "", port, &properties[..]).map(ServiceInfo::enable_addr_auto);
    }
    ServiceInfo::new(SERVICE, &name, &host, bound.ip(), port, &properties[..])
}

/// Whose members are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sought {
    /// Those of the cluster whose authority has a certificate with this fingerprint, as a join token names it.
    Authority([u8; 32]),
    /// Those of the cluster with this id, whichever authority it has now: a member that was away may know an earlier one.
    Cluster(String),
}

/// Where members are on the local network, the likeliest first; empty when none is heard within `within`.
///
/// # Errors
/// [`LanError`]: nothing can be sent or heard.
pub(crate) async fn find(sought: &Sought, within: Duration) -> Result<Vec<SocketAddr>, LanError> {
    let daemon = ServiceDaemon::new()?;
    let found = listen(&daemon.browse(SERVICE)?, sought, within).await;
    let _ = daemon.shutdown();
    Ok(found)
}

async fn listen(events: &Receiver<ServiceEvent>, sought: &Sought, within: Duration) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let mut deadline = tokio::time::Instant::now() + within;
    while let Ok(Ok(event)) = tokio::time::timeout_at(deadline, events.recv_async()).await {
        let ServiceEvent::ServiceResolved(service) = event else { continue };
        let before = found.len();
        take(&mut found, places(&service, sought));
        if before == 0 && !found.is_empty() {
            deadline = deadline.min(tokio::time::Instant::now() + MORE_WITHIN);
        }
    }
    found
}

/// Where an announced member is reached; nothing when it is of another cluster.
fn places(service: &ResolvedService, sought: &Sought) -> Vec<SocketAddr> {
    let is_of = match sought {
        Sought::Authority(fingerprint) => service.get_property_val_str(AUTHORITY) == Some(tag(fingerprint).as_str()),
        Sought::Cluster(id) => service.get_property_val_str(CLUSTER) == Some(id.as_str()),
    };
    if !is_of || service.port == 0 {
        return Vec::new();
    }
    let addresses = service.addresses.iter().map(|address| address.to_ip_addr());
    addresses.filter(can_be_asked).map(|address| SocketAddr::new(address, service.port)).collect()
}

/// Link-local addresses of IPv6 mean nothing without the interface they belong to.
fn can_be_asked(address: &IpAddr) -> bool {
    let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    !(link_local || address.is_unspecified() || address.is_multicast())
}

/// Adds addresses, each once, those of IPv4 networks first, and no more than [`MAX_FOUND`].
fn take(found: &mut Vec<SocketAddr>, more: Vec<SocketAddr>) {
    for address in more {
        if found.len() < MAX_FOUND && !found.contains(&address) {
            found.push(address);
        }
    }
    found.sort_by_key(|address| (address.is_ipv6(), address.ip().is_loopback(), *address));
}

fn tag(fingerprint: &[u8; 32]) -> String {
    hex(&fingerprint[..TAG_BYTES])
}

#[cfg(test)]
#[path = "lan_tests.rs"]
mod tests;
