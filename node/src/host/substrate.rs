//! What lies below all capabilities: the mesh, who answers on it, what nodes tell of themselves, the groups.

use super::Prepared;
use crate::cluster::{
    Cluster, ClusterMembership, ClusterParts, ControlGroup, PeerBook, Reporter, local_addresses, reachable_at,
};
use crate::failure::Failure;
use anyhow::{Context, bail};
use octopussy_blobs::{ClusterBlobs, MayHold};
use octopussy_control::{ClusterRecord, MemberRecord, VersionRange};
use octopussy_core::ports::{BlobPort, ClusterPort, LedShardsPort, LedgerPort, MemberDesired, MemberRole, MeshPort};
use octopussy_core::time::Clock;
use octopussy_facts::{Facts, FactsConfig};
use octopussy_lifecycle::{Open, Registry};
use octopussy_membership::{AddressObserver, Membership, Settings as MembershipSettings};
use octopussy_mesh::{BindError, Mesh, MeshCertificates, MeshConfig};
use octopussy_shard::{FileBlobs, OpenError, ShardHost, ShardHostConfig, Timings};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What this build understands of the wire and of stored commands.
pub(super) const VERSIONS: VersionRange = VersionRange { min: 1, max: 1 };
/// How long the store may be held by another process: a node that was killed takes a moment to disappear.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether the store is free.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// How long the control group may take to reach a node that was just let in.
const ADOPT_WITHIN: Duration = Duration::from_secs(60);

/// Everything below the capabilities, open.
pub(super) struct Substrate {
    pub(super) mesh: Arc<Mesh>,
    pub(super) membership: Arc<Membership>,
    pub(super) facts: Arc<Facts>,
    pub(super) shards: Arc<ShardHost>,
    pub(super) cluster: Arc<Cluster>,
    blobs: Arc<dyn BlobPort>,
    /// Where this node's mesh endpoint is reached, the likeliest first.
    pub(super) addresses: Vec<SocketAddr>,
    /// Ends the tasks that belong to no capability.
    stopping: CancellationToken,
}

impl Substrate {
    /// Opens everything, and founds a cluster of this node alone when its home belongs to none.
    pub(super) async fn open(prepared: &Prepared) -> anyhow::Result<Self> {
        let Prepared { identity, settings, clock, .. } = prepared;
        let mesh = bind(prepared)?;
        let bound = mesh.local_addr().context("the mesh does not say where it listens")?;
        let addresses = reachable_at(bound, &settings.mesh.advertise, &local_addresses());
        let port: Arc<dyn MeshPort> = mesh.clone();
        let book = PeerBook::new(identity.node_id, port.clone());
        for (node, addresses) in prepared.cluster_home.introductions()? {
            book.introduce(node, &addresses);
        }
        let observer: Arc<dyn AddressObserver> = book.clone();
        let membership = Membership::start(
            port.clone(),
            addresses.first().copied(),
            membership_settings(settings.groups.timings),
            Some(observer),
        )
        .context("the membership protocol cannot be started")?;
        let facts = Facts::start(port.clone(), &identity.cluster_id, FactsConfig::default())
            .await
            .context("the exchange of facts cannot be started")?;
        let shards =
            open_shards(&settings.groups, clock, &port, &membership).await.context("the store cannot be opened")?;
        let data = settings.groups.dir.clone();
        let blobs = tokio::task::spawn_blocking(move || FileBlobs::open(&data))
            .await
            .context("opening the blobs panicked")?
            .context("the blobs cannot be opened")?;
        let holders = shards.watch_control();
        let may_hold: MayHold =
            Arc::new(move |node| holders.borrow().members.get(&node).is_some_and(MemberRecord::holds_replicas));
        let blobs = ClusterBlobs::new(Arc::new(blobs), port.clone(), may_hold);
        let parts = ClusterParts {
            fingerprint: identity.fingerprint,
            shards: shards.clone(),
            reach: membership.clone(),
            mesh: port,
            facts: facts.clone(),
            addresses: addresses.clone(),
            clock: clock.clone(),
        };
        let stopping = CancellationToken::new();
        tokio::spawn(book.run(shards.watch_control(), Arc::downgrade(&membership), stopping.clone()));
        let substrate = Self {
            mesh,
            membership,
            facts,
            cluster: Arc::new(Cluster::new(parts)),
            shards,
            blobs,
            addresses,
            stopping,
        };
        match substrate.belong(prepared).await {
            Ok(()) => {
                tokio::spawn(substrate.reporter(prepared, bound).run(substrate.stopping.clone()));
                Ok(substrate)
            }
            Err(error) => {
                substrate.close(super::STOP_WITHIN / 4).await;
                Err(error)
            }
        }
    }

    /// Makes sure that this node is a member: it founds, or waits for those who have let it in.
    async fn belong(&self, prepared: &Prepared) -> anyhow::Result<()> {
        let home = &prepared.cluster_home;
        let member = self.shards.is_member();
        let marker = home.membership()?;
        let marker = match (marker, member) {
            (Some(marker), true) if marker.settled => return Ok(()),
            (Some(marker), false) if marker.settled => bail!(data_is_gone(prepared, &marker)),
            (Some(marker), true) => marker,
            (Some(marker), false) => {
                let late = "no member of the cluster has reached this node";
                self.shards.adopt(ADOPT_WITHIN).await.map_err(|error| {
                    anyhow::Error::new(Failure::new(format!("{late}: {error}")).hint(
                        "this node was let in already: see that the cluster's nodes reach its mesh address (UDP), and start it again",
                    ))
                })?;
                marker
            }
            (None, _) => self.found(prepared).await?,
        };
        home.set_membership(&ClusterMembership { settled: true, ..marker })?;
        Ok(())
    }

    async fn found(&self, prepared: &Prepared) -> anyhow::Result<ClusterMembership> {
        let Prepared { identity, settings, clock, .. } = prepared;
        let place = &settings.place;
        let (name, _) = place.name();
        let now = clock.now();
        if !self.shards.is_member() {
            let cluster = ClusterRecord {
                id: identity.cluster_id.clone(),
                shards: place.shards,
                replication: place.replication,
                founded_at: now,
            };
            let founder = MemberRecord {
                id: identity.node_id,
                name: name.clone(),
                addresses: self.addresses.clone(),
                role: MemberRole::Full,
                desired: MemberDesired::Active,
                capacity: prepared.capacity,
                zone: prepared.zone.clone(),
                versions: VERSIONS,
                joined_at: now,
            };
            self.shards.found(cluster, founder).await.context("the cluster cannot be founded")?;
            tracing::info!(
                cluster.id = identity.cluster_id,
                node.name = name,
                "a cluster of this node alone was founded"
            );
        }
        Ok(ClusterMembership {
            cluster: identity.cluster_id.clone(),
            name,
            role: MemberRole::Full,
            founder: true,
            capacity: Some(prepared.capacity),
            zone: prepared.zone.clone(),
            settled: false,
        })
    }

    fn reporter(&self, prepared: &Prepared, bound: SocketAddr) -> Reporter {
        Reporter {
            node: prepared.identity.node_id,
            bound,
            advertise: prepared.settings.mesh.advertise.clone(),
            capacity: prepared.capacity,
            zone: prepared.zone.clone(),
            versions: VERSIONS,
            group: self.group(),
            membership: Arc::downgrade(&self.membership),
            clock: prepared.clock.clone(),
        }
    }

    /// The control group.
    pub(super) fn group(&self) -> Arc<dyn ControlGroup> {
        self.shards.clone()
    }

    /// A registry in which capabilities find what lies below them.
    pub(super) fn registry(&self) -> Registry<Open> {
        Registry::new()
            .with_substrate::<dyn LedgerPort>(self.shards.ledger())
            .with_substrate::<dyn LedShardsPort>(self.shards.led())
            .with_substrate::<dyn BlobPort>(self.blobs.clone())
            .with_substrate::<dyn MeshPort>(self.mesh.clone())
            .with_substrate::<dyn ClusterPort>(self.cluster.clone())
    }

    /// Hands over what this node leads, says goodbye, and lets go of files and ports. What is not done within `limit` is left
    /// to the next start.
    pub(super) async fn close(&self, limit: Duration) {
        self.stopping.cancel();
        if !self.shards.close(limit).await {
            tracing::warn!("the groups took too long to stop; the next start takes up what is in their logs");
        }
        self.membership.leave().await;
        self.mesh.close().await;
    }
}

fn bind(prepared: &Prepared) -> anyhow::Result<Arc<Mesh>> {
    let Prepared { identity, settings, boot, .. } = prepared;
    let certificates = MeshCertificates {
        authority: identity.ca_der.clone(),
        certificate: identity.certificate.clone(),
        key: identity.private_key(),
    };
    let listen = settings.mesh.listen();
    let mut config = MeshConfig::new(listen, &identity.cluster_id, *boot, certificates);
    config.advertise = settings.mesh.advertise.clone();
    config.versions = VERSIONS.min..=VERSIONS.max;
    Mesh::bind(config).map_err(|error| match error {
        BindError::Listen { address, error } if error.kind() == std::io::ErrorKind::AddrInUse => {
            anyhow::Error::new(
                Failure::new(format!("cannot listen on {address}/udp for the other nodes: the port is taken")).hint(
                    "another node may run on this machine: start this one with --port-offset 20, or set mesh.port in config.yaml",
                ),
            )
        }
        BindError::Listen { address, error } => anyhow::Error::new(
            Failure::new(format!("cannot listen on {address}/udp for the other nodes: {error}"))
                .hint("mesh.bind and mesh.port in config.yaml say where"),
        ),
        error @ (BindError::Certificates(_) | BindError::Config(_)) => anyhow::Error::new(error),
    })
}

/// Who answers is noticed in step with the groups' elections.
fn membership_settings(timings: Timings) -> MembershipSettings {
    if timings == Timings::WAN {
        MembershipSettings::wan()
    } else if timings == Timings::FAST {
        MembershipSettings::fast()
    } else {
        MembershipSettings::standard()
    }
}

/// Opens the groups; waits a little for a process that is just ending to let go of them.
async fn open_shards(
    config: &ShardHostConfig,
    clock: &Arc<dyn Clock>,
    mesh: &Arc<dyn MeshPort>,
    membership: &Arc<Membership>,
) -> Result<Arc<ShardHost>, OpenError> {
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match ShardHost::open(config.clone(), clock.clone(), mesh.clone(), membership.clone()).await {
            Err(error) if error.is_locked() && Instant::now() < patience => tokio::time::sleep(LOCK_POLL).await,
            opened => return opened,
        }
    }
}

fn data_is_gone(prepared: &Prepared, marker: &ClusterMembership) -> Failure {
    let data = prepared.settings.groups.dir.display();
    let failure = Failure::new(format!(
        "this node is {} of cluster {}, and its data in {data} is gone: a node never begins again under the same id",
        marker.name, marker.cluster
    ));
    failure.hint(format!(
        "put {data} back; or remove the node with `octopussy cluster leave {} --force` at another one, and let it join \
         with a new home directory",
        marker.name
    ))
}
