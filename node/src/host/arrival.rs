//! The way of a node into its cluster: an interrupted joining is finished, a new one is done, before anything is opened.

use super::settings::NodeSettings;
use super::substrate::VERSIONS;
use super::{HostOptions, JoinOptions};
use crate::cluster::{
    ClusterHome, ClusterMembership, Door, JoinFailure, JoinToken, Joined, LOOK_FOR, LanError, Sought, Wanted, Wish,
    choose_ports, cpus, default_capacity, find_on_lan, first_free_port, local_addresses, port_is_free, reachable_at,
    wait_until_free,
};
use crate::failure::Failure;
use crate::home::Home;
use crate::process::StartError;
use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::time::Clock;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The keys that an offset on the command line stands for.
const OFFSET_KEYS: [&str; 2] = ["gateway.port_offset", "mesh.port_offset"];

/// The settings that the command line stands for.
pub(super) fn overrides(options: &HostOptions) -> Vec<(String, Value)> {
    let mut overrides = options.overrides.clone();
    overrides.extend(options.port_offset.into_iter().flat_map(offset));
    overrides
}

/// The settings that an offset of every port stands for.
pub(super) fn offset(ports: u16) -> impl Iterator<Item = (String, Value)> {
    OFFSET_KEYS.into_iter().map(move |key| (key.to_owned(), ports.into()))
}

/// The ports of a node with these settings.
fn ports(settings: &NodeSettings) -> [Wanted; 4] {
    let (gateway, mesh) = (&settings.gateway, &settings.mesh);
    let shifted = |port: u16| if port == 0 { 0 } else { port.saturating_add(gateway.port_offset) };
    [
        Wanted { bind: gateway.bind, port: shifted(gateway.rest_port), udp: false },
        Wanted { bind: gateway.bind, port: shifted(gateway.ws_port), udp: false },
        Wanted { bind: mesh.bind, port: mesh.listen().port(), udp: true },
        metrics_port(settings),
    ]
}

fn metrics_port(settings: &NodeSettings) -> Wanted {
    let gateway = &settings.gateway;
    let port = if gateway.metrics_port == 0 { 0 } else { gateway.metrics_port.saturating_add(gateway.port_offset) };
    Wanted { bind: IpAddr::V4(Ipv4Addr::LOCALHOST), port, udp: false }
}

/// Settles on the node's ports and returns the settings that say so. A home keeps the offset that it has once had: its clients and
/// its peers know the node there. A new home takes the first offset at which all ports but that of the metrics are free.
pub(super) fn settle_on_ports(
    home: &ClusterHome,
    settings: &NodeSettings,
    asked: Option<u16>,
) -> anyhow::Result<Vec<(String, Value)>> {
    if let Some(asked) = asked {
        if home.port_offset()? != Some(asked) {
            home.set_port_offset(asked)?;
        }
        return Ok(Vec::new());
    }
    if settings.ports_are_chosen {
        return Ok(Vec::new());
    }
    let [rest, ws, mesh, metrics] = ports(settings);
    let offset = match home.port_offset()? {
        Some(before) => before,
        None => {
            let chosen = choose_ports(&[rest, ws, mesh], port_is_free).unwrap_or_default();
            if chosen > 0 {
                tracing::warn!(offset = chosen, "the usual ports are taken; this node moves its ports, and keeps them");
            }
            home.set_port_offset(chosen)?;
            chosen
        }
    };
    let mut settled: Vec<(String, Value)> = self::offset(offset).collect();
    // Other programs live on the usual port of the metrics, and only scrapers need to know where it is.
    if let Some(wanted) = metrics.shifted(offset).filter(|wanted| !port_is_free(wanted)) {
        let found = first_free_port(wanted, port_is_free);
        if let Some(port) = found.checked_sub(offset).filter(|_| found != wanted.port) {
            tracing::warn!(
                taken = wanted.port,
                port = found,
                "the port of the metrics is taken; they are on another one"
            );
            settled.push(("gateway.metrics_port".to_owned(), port.into()));
        }
    }
    Ok(settled)
}

/// Waits until the node's ports are free, within bounds; a start in the background is told meanwhile what it waits for.
pub(super) async fn wait_for_ports(home: &Home, settings: &NodeSettings) -> anyhow::Result<()> {
    let note = home.start_error();
    let mut noted = false;
    let waited = wait_until_free(&ports(settings), |taken| {
        tracing::warn!("{taken}: waiting until it is free");
        // Whether the note can be written does not matter: it only says why a start takes long.
        noted = StartError::from(&Failure::new(format!("{taken}; the node still waits for it"))).write(&note).is_ok();
    })
    .await;
    if noted {
        let _ = std::fs::remove_file(&note);
    }
    waited.map_err(|taken| {
        anyhow::Error::new(Failure::new(taken.to_string()).hint(
            "end that program, or give this node other ports: --port-offset 100 moves all of them, and the home keeps the offset",
        ))
    })
}

/// What the node is going to be in its cluster, from the command line, the configuration and what it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) capacity: u32,
    pub(super) zone: Option<String>,
}

impl Standing {
    pub(super) fn of(settings: &NodeSettings, before: Option<&ClusterMembership>) -> Self {
        let (place, before_capacity) = (&settings.place, before.and_then(|before| before.capacity));
        Self {
            capacity: place.capacity.or(before_capacity).unwrap_or_else(|| default_capacity(cpus())),
            zone: place.zone.clone().or_else(|| before.and_then(|before| before.zone.clone())),
        }
    }
}

/// Joins when that is wanted, after finishing what an earlier start could not.
///
/// # Errors
/// Also when the home belongs to no cluster and this start must not found one.
pub(super) async fn arrive(
    home: &Path,
    settings: &NodeSettings,
    options: &HostOptions,
    boot: u64,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<()> {
    if let Some(member) =
        crate::cluster::resume(home).await.context("a joining that was interrupted cannot be finished")?
    {
        tracing::info!(
            cluster.id = member.cluster,
            node.name = member.name,
            "a joining that was interrupted is finished"
        );
    }
    let cluster_home = ClusterHome::of(home);
    let Some(join) = &options.join else {
        return if cluster_home.membership()?.is_some() {
            Ok(())
        } else {
            may_found(&cluster_home, settings, options.found)
        };
    };
    let mut token: JoinToken = join.token.parse().map_err(|error| told(JoinFailure::Token(error)))?;
    if cluster_home.membership()?.is_none() {
        // A node that was to join must not found a cluster of its own when it is started again without its token.
        cluster_home.set_to_join(&token.fingerprint)?;
        if join.find {
            token.addresses = find(&token).await?;
        }
    }
    let wish = wish(settings, join, boot);
    let clock = clock.clone();
    match crate::cluster::join(home, &token, &wish, &MeshDoor, move || clock.now()).await.map_err(told)? {
        Joined::Now(member) => {
            cluster_home.clear_to_join()?;
            tracing::info!(cluster.id = member.cluster, node.name = member.name, "this node was let into the cluster");
        }
        Joined::Before(member) => {
            tracing::info!(
                cluster.id = member.cluster,
                node.name = member.name,
                "this node belongs to the cluster of the token already; the token was not used"
            );
        }
    }
    Ok(())
}

/// Whether a home without a cluster may found one.
fn may_found(home: &ClusterHome, settings: &NodeSettings, asked: bool) -> anyhow::Result<()> {
    if asked {
        return Ok(home.clear_to_join()?);
    }
    let refused = |message: &str, hint: &str| Err(anyhow::Error::new(Failure::new(message).hint(hint)));
    if home.was_to_join()? {
        return refused(
            "this home was to join a cluster, and has not joined it yet",
            "repeat `octopussy start --join TOKEN` (`octopussy cluster token` on a member makes a new token); `octopussy start --found` founds a cluster of its own instead",
        );
    }
    if !settings.place.found {
        return refused(
            "this home belongs to no cluster, and cluster.found is false: no cluster is founded here",
            "join one with `octopussy start --join TOKEN`; `octopussy start --found` founds one, once",
        );
    }
    Ok(())
}

/// Where to ask: members that announce themselves on the local network, then those that the token names.
async fn find(token: &JoinToken) -> anyhow::Result<Vec<SocketAddr>> {
    let hint = "members announce themselves with `mesh.announce: true` in their config.yaml; `--join env` asks where the token says";
    let refused = |message: String| anyhow::Error::new(Failure::new(message).hint(hint));
    let found = find_on_lan(&Sought::Authority(token.fingerprint), LOOK_FOR)
        .await
        .map_err(|error: LanError| refused(error.to_string()))?;
    if found.is_empty() {
        let seconds = LOOK_FOR.as_secs();
        return Err(refused(format!(
            "no member of the token's cluster was heard on this network within {seconds} seconds"
        )));
    }
    tracing::info!(addresses = ?found, "members of the token's cluster were heard on this network");
    Ok(with_those_of(token, found))
}

fn with_those_of(token: &JoinToken, mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let others: Vec<SocketAddr> = token.addresses.iter().copied().filter(|address| !found.contains(address)).collect();
    found.extend(others);
    found
}

fn wish(settings: &NodeSettings, join: &JoinOptions, boot: u64) -> Wish {
    let (name, name_is_chosen) = settings.place.name();
    let Standing { capacity, zone } = Standing::of(settings, None);
    Wish {
        name,
        name_is_chosen,
        only_as_guest: join.guest,
        capacity,
        zone,
        addresses: reachable_at(
            settings.mesh.listen(),
            &settings.mesh.advertise,
            &local_addresses().unwrap_or_default(),
        ),
        versions: VERSIONS,
        boot,
    }
}

/// The failure with its way out.
fn told(failure: JoinFailure) -> anyhow::Error {
    let hint = match &failure {
        JoinFailure::Token(_) => Some("`octopussy cluster token` on a member makes one"),
        JoinFailure::Unreachable(_) => Some(
            "see that a member runs and that its mesh port (UDP) is open from here; a token made now names its present addresses",
        ),
        JoinFailure::OtherCluster(_) => Some(
            "give the new node a home of its own with --home DIR; if this home's cluster is not needed, move the directory away first and repeat",
        ),
        JoinFailure::Refused(_)
        | JoinFailure::Data(_)
        | JoinFailure::BadAnswer(_)
        | JoinFailure::Identity(_)
        | JoinFailure::Home(_)
        | JoinFailure::Secrets(_) => None,
    };
    let told = Failure::new(failure.to_string());
    anyhow::Error::new(match hint {
        Some(hint) => told.hint(hint),
        None => told,
    })
}

/// The way over the mesh's own protocol for joining.
pub(super) struct MeshDoor;

#[async_trait]
impl Door for MeshDoor {
    async fn ask(
        &self,
        address: SocketAddr,
        fingerprint: [u8; 32],
        request: Bytes,
        within: Duration,
    ) -> Result<Bytes, String> {
        octopussy_mesh::join(&[address], fingerprint, request, within).await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::time::Timestamp;

    #[test]
    fn those_who_are_heard_are_asked_first_and_each_once() {
        let at = |last: u8| SocketAddr::from(([192, 0, 2, last], 47_210));
        let mut token = JoinToken {
            addresses: vec![at(1), at(2)],
            fingerprint: [0; 32],
            secret: crate::cluster::JoinSecret([0; 32]),
            expires_at: Timestamp::EPOCH,
        };
        token.addresses = with_those_of(&token, vec![at(2), at(3)]);
        assert_eq!(token.addresses, [at(2), at(3), at(1)]);
    }
}
