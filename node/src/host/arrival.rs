//! The way of a node into its cluster: an interrupted joining is finished, a new one is done, before anything is opened.

use super::settings::NodeSettings;
use super::substrate::VERSIONS;
use super::{HostOptions, JoinOptions};
use crate::cluster::{
    ClusterHome, ClusterMembership, Door, JoinFailure, JoinToken, Joined, LOOK_FOR, LanError, Wanted, Wish,
    choose_ports, cpus, default_capacity, find_on_lan, local_addresses, port_is_free, reachable_at,
};
use crate::failure::Failure;
use crate::identity::NodeKey;
use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use octopussy_core::ports::MemberRole;
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

/// The offset of a node for which nobody has chosen ports: what its home has used before, otherwise the first at which all
/// are free.
pub(super) fn free_offset(home: &ClusterHome, settings: &NodeSettings) -> anyhow::Result<Option<u16>> {
    if settings.ports_are_chosen {
        return Ok(None);
    }
    let (gateway, mesh) = (&settings.gateway, &settings.mesh);
    let wanted = [
        Wanted { bind: gateway.bind, port: gateway.rest_port, udp: false },
        Wanted { bind: gateway.bind, port: gateway.ws_port, udp: false },
        Wanted { bind: IpAddr::V4(Ipv4Addr::LOCALHOST), port: gateway.metrics_port, udp: false },
        Wanted { bind: mesh.bind, port: mesh.port, udp: true },
    ];
    let before = home.port_offset()?;
    let chosen = choose_ports(&wanted, before, port_is_free);
    if let Some(offset) = chosen.filter(|offset| Some(*offset) != before) {
        if offset > 0 {
            tracing::info!(offset, "the usual ports are taken; this node moves all of its ports, and keeps them");
        }
        home.set_port_offset(offset)?;
    }
    Ok(chosen)
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
pub(super) async fn arrive(
    home: &Path,
    settings: &NodeSettings,
    join: Option<&JoinOptions>,
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
    let Some(join) = join else { return Ok(()) };
    let mut token: JoinToken = join.token.parse().map_err(|error| told(JoinFailure::Token(error)))?;
    if join.find && ClusterHome::of(home).membership()?.is_none() {
        token.addresses = find(&token).await?;
    }
    let wish = wish(settings, join, boot)?;
    let clock = clock.clone();
    match crate::cluster::join(home, &token, &wish, &MeshDoor, move || clock.now()).await.map_err(told)? {
        Joined::Now(member) => {
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

/// Where to ask: members that announce themselves on the local network, then those that the token names.
async fn find(token: &JoinToken) -> anyhow::Result<Vec<SocketAddr>> {
    let hint = "members announce themselves with `mesh.announce: true` in their config.yaml; `--join env` asks where the token says";
    let refused = |message: String| anyhow::Error::new(Failure::new(message).hint(hint));
    let found =
        find_on_lan(&token.fingerprint, LOOK_FOR).await.map_err(|error: LanError| refused(error.to_string()))?;
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

fn wish(settings: &NodeSettings, join: &JoinOptions, boot: u64) -> anyhow::Result<Wish> {
    let (name, name_is_chosen) = settings.place.name();
    let Standing { capacity, zone } = Standing::of(settings, None);
    Ok(Wish {
        name,
        name_is_chosen,
        role: if join.guest { MemberRole::Guest } else { MemberRole::Full },
        capacity,
        zone,
        addresses: reachable_at(settings.mesh.listen(), &settings.mesh.advertise, &local_addresses()),
        versions: VERSIONS,
        boot,
        certificate_names: NodeKey::names(&settings.node.names)?,
    })
}

/// The failure with its way out.
fn told(failure: JoinFailure) -> anyhow::Error {
    let hint = match &failure {
        JoinFailure::Token(_) => Some("`octopussy cluster token` on a member makes one"),
        JoinFailure::Unreachable(_) => Some(
            "see that a member runs and that its mesh port (UDP) is open from here; a token made now names its present addresses",
        ),
        JoinFailure::Refused(_)
        | JoinFailure::OtherCluster(_)
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
