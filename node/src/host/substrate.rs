//! What lies below all capabilities: the mesh, who answers on it, what nodes tell of themselves, the groups.

use super::arrival::MeshDoor;
use super::opening::{bind, membership_settings, open_shards};
use super::{Prepared, removed};
use crate::backup::BackupDoor;
use crate::cluster::{
    Acquaintances, ApiTokens, BlobUpkeep, Cluster, ClusterHome, ClusterMembership, ClusterParts, ControlGroup,
    PeerBook, Removal, Renewer, Reporter, Seeker, SoleStart, local_addresses, reachable_at,
};
use crate::failure::Failure;
use crate::identity::PresentIdentity;
use crate::measures::NodeMeasures;
use anyhow::{Context, bail};
use octopussy_blobs::{BlobKeeper, ClusterBlobs, Holders};
use octopussy_control::{ClusterRecord, MemberRecord, VersionRange};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{
    ApiTokensPort, BlobPort, ClusterPort, LedShardsPort, LedgerPort, MeasuresPort, MemberDesired, MemberRole, MeshPort,
};
use octopussy_core::time::Clock;
use octopussy_facts::{Facts, FactsConfig};
use octopussy_lifecycle::{Open, Registry};
use octopussy_membership::{AddressObserver, Membership};
use octopussy_mesh::Mesh;
use octopussy_shard::{FileBlobs, ShardHost, ShardHostConfig};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What this build understands of the wire and of stored commands.
pub(crate) const VERSIONS: VersionRange = VersionRange { min: 2, max: 2 };
/// How long the control group may take to reach a node that was just let in.
const ADOPT_WITHIN: Duration = Duration::from_secs(60);

/// Everything below the capabilities, open.
pub(super) struct Substrate {
    /// Who this node is, as it is now.
    pub(super) identity: PresentIdentity,
    pub(super) mesh: Arc<Mesh>,
    pub(super) membership: Arc<Membership>,
    pub(super) facts: Arc<Facts>,
    pub(super) shards: Arc<ShardHost>,
    pub(super) cluster: Arc<Cluster>,
    blobs: Arc<dyn BlobPort>,
    /// Where this node's mesh endpoint is reached, the likeliest first.
    pub(super) addresses: Vec<SocketAddr>,
    clock: Arc<dyn Clock>,
    /// The home directory, and what it keeps about the cluster.
    home: (PathBuf, ClusterHome),
    /// Cancelled when this node must not go on: it was removed from its cluster, or this start of it must not be.
    pub(super) removed: CancellationToken,
    /// Why this start of the node must not be, once that is known.
    disowned: Arc<OnceLock<String>>,
    /// Ends the tasks that belong to no capability.
    stopping: CancellationToken,
}

impl Substrate {
    /// Opens everything, and founds a cluster of this node alone when its home belongs to none.
    pub(super) async fn open(prepared: &Prepared) -> anyhow::Result<Self> {
        let Prepared { identity, settings, clock, .. } = prepared;
        let present = PresentIdentity::new(identity.clone());
        let acquaintances = Acquaintances::open(identity.node_id, prepared.cluster_home.clone(), clock.clone())?;
        let mesh = bind(prepared, acquaintances.clone())?;
        let bound = mesh.local_addr().context("the mesh does not say where it listens")?;
        let addresses = reachable_at(bound, &settings.mesh.advertise, &local_addresses().unwrap_or_default());
        let port: Arc<dyn MeshPort> = mesh.clone();
        let book = PeerBook::new(identity.node_id, port.clone());
        let observer: Arc<dyn AddressObserver> = book.clone();
        let membership = Membership::start(
            port.clone(),
            addresses.first().copied(),
            membership_settings(settings.groups.timings),
            Some(observer),
        )
        .context("the membership protocol cannot be started")?;
        let facts =
            Facts::start(port.clone(), &FactsConfig::default()).context("the exchange of facts cannot be started")?;
        let introductions = prepared.cluster_home.introductions()?;
        let introduced: BTreeSet<NodeId> = introductions.iter().map(|(node, _)| *node).collect();
        // Until it is sure that no other start of this node takes part, the groups do not vote.
        let (may_vote, ballot) = watch::channel(false);
        let groups =
            ShardHostConfig { may_vote: Some(ballot), introduced: introduced.clone(), ..settings.groups.clone() };
        let shards = open_shards(&groups, clock, &port, &membership).await.context("the store cannot be opened")?;
        // Those who have left are refused before anybody is dialled; only then come those who let this node in.
        for node in book.follow(&shards.control()) {
            membership.forget(node);
        }
        for (node, addresses) in introductions {
            book.introduce(node, &addresses);
        }
        let data = settings.groups.dir.clone();
        let blobs = tokio::task::spawn_blocking(move || FileBlobs::open(&data))
            .await
            .context("opening the blobs panicked")?
            .context("the blobs cannot be opened")?;
        let control = shards.watch_control();
        let holders: Holders = Arc::new(move || {
            let control = control.borrow();
            let members = control.members.values().filter(|member| member.holds_replicas());
            members.map(|member| member.id).collect()
        });
        let blobs = ClusterBlobs::new(Arc::new(blobs), port.clone(), holders);
        let parts = ClusterParts {
            identity: present.clone(),
            shards: shards.clone(),
            reach: membership.clone(),
            mesh: port,
            refused: Arc::new({
                let mesh = mesh.clone();
                move || mesh.impostors()
            }),
            facts: facts.clone(),
            home: prepared.cluster_home.clone(),
            addresses: addresses.clone(),
            clock: clock.clone(),
            data: settings.groups.dir.clone(),
        };
        let stopping = CancellationToken::new();
        let upkeep = BlobUpkeep {
            me: identity.node_id,
            shards: shards.clone(),
            keeper: BlobKeeper::new(blobs.clone()),
            named: BTreeSet::new(),
        };
        tokio::spawn(upkeep.run(stopping.clone()));
        let announced = settings.mesh.announce || prepared.look_on_lan;
        let seeker = Seeker {
            seeds: settings.mesh.seeds.clone(),
            on_lan: announced.then(|| identity.cluster_id.clone()),
            book: book.clone(),
        };
        tokio::spawn(seeker.run(stopping.clone()));
        tokio::spawn(book.run(shards.watch_control(), Arc::downgrade(&membership), stopping.clone()));
        let substrate = Self {
            identity: present,
            mesh,
            membership,
            facts,
            cluster: Arc::new(Cluster::new(parts)),
            shards,
            blobs,
            addresses,
            clock: clock.clone(),
            home: (prepared.home.path().to_owned(), prepared.cluster_home.clone()),
            removed: CancellationToken::new(),
            disowned: Arc::default(),
            stopping,
        };
        let start = substrate.sole_start(prepared, acquaintances, may_vote);
        tokio::spawn(start.run(substrate.removed.clone(), substrate.stopping.clone()));
        let removal = substrate.removal(identity.node_id, introduced);
        tokio::spawn(removal.run(substrate.removed.clone(), substrate.stopping.clone()));
        let belongs = substrate.belong(prepared).await.and_then(|member| {
            // A founder makes it, before anything is sealed with it.
            if member.role == MemberRole::Full {
                let home = &prepared.cluster_home;
                home.data_key(member.founder).context("the key of the shared secrets cannot be used")?;
            }
            Ok(member)
        });
        match belongs {
            Ok(member) => {
                tokio::spawn(substrate.backup_door(prepared, member).run(substrate.stopping.clone()));
                tokio::spawn(substrate.reporter(prepared, bound).run(substrate.stopping.clone()));
                tokio::spawn(substrate.renewer(prepared).run(substrate.stopping.clone()));
                Ok(substrate)
            }
            Err(error) => {
                substrate.close(super::STOP_WITHIN / 4).await;
                Err(error)
            }
        }
    }

    /// Makes sure that this node is a member, and says as what: it founds, or waits for those who have let it in.
    async fn belong(&self, prepared: &Prepared) -> anyhow::Result<ClusterMembership> {
        let home = &prepared.cluster_home;
        let member = self.shards.is_member();
        let marker = home.membership()?;
        let marker = match (marker, member) {
            (Some(marker), true) if marker.settled => return Ok(marker),
            (Some(marker), false) if marker.settled => bail!(data_is_gone(prepared, &marker)),
            (Some(marker), true) => marker,
            (Some(marker), false) => {
                let late = "no member of the cluster has reached this node";
                let adopted = tokio::select! {
                    adopted = self.shards.adopt(ADOPT_WITHIN) => adopted,
                    failure = self.removed() => return Err(failure),
                };
                adopted.map_err(|error| {
                    anyhow::Error::new(Failure::new(format!("{late}: {error}")).hint(
                        "this node was let in already: see that the cluster's nodes reach its mesh address (UDP), and start it again",
                    ))
                })?;
                marker
            }
            (None, _) => self.found(prepared).await?,
        };
        let marker = ClusterMembership { settled: true, ..marker };
        home.set_membership(&marker)?;
        Ok(marker)
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
            removed: false,
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

    fn renewer(&self, prepared: &Prepared) -> Renewer {
        let mesh = self.mesh.clone();
        Renewer {
            home: prepared.home.path().to_owned(),
            identity: self.identity.clone(),
            names: prepared.settings.node.names.clone(),
            show: Box::new(move |certificates| mesh.renew(certificates)),
            group: self.group(),
            door: Box::new(MeshDoor),
            clock: prepared.clock.clone(),
        }
    }

    fn backup_door(&self, prepared: &Prepared, member: ClusterMembership) -> BackupDoor {
        BackupDoor {
            home: prepared.home.path().to_owned(),
            member,
            node: prepared.identity.node_id,
            identity: self.identity.clone(),
            shards: self.shards.clone(),
            blobs: self.blobs.clone(),
            clock: prepared.clock.clone(),
        }
    }

    fn removal(&self, node: NodeId, introduced: BTreeSet<NodeId>) -> Removal {
        let (home, mesh) = (self.home.1.clone(), self.mesh.clone());
        let forgotten_by = mesh.watch_forgotten_by();
        let vouches = Box::new(move |other| mesh.is_connected(other));
        Removal { node, home, group: self.group(), forgotten_by, vouches, introduced }
    }

    fn sole_start(
        &self,
        prepared: &Prepared,
        acquaintances: Arc<Acquaintances>,
        may_vote: watch::Sender<bool>,
    ) -> SoleStart {
        let shards = self.shards.clone();
        SoleStart {
            me: prepared.identity.node_id,
            lives: prepared.lives.clone(),
            acquaintances,
            mesh: self.mesh.clone(),
            group: self.group(),
            addresses: self.addresses.clone(),
            written: Box::new(move || shards.applied()),
            clock: prepared.clock.clone(),
            may_vote,
            disowned: self.disowned.clone(),
        }
    }

    /// Ends when this node must not go on, with what is to be said about it.
    pub(super) async fn removed(&self) -> anyhow::Error {
        self.removed.cancelled().await;
        let (path, home) = &self.home;
        if let Some(reason) = self.disowned.get() {
            return anyhow::Error::new(removed::disowned(path, reason));
        }
        match home.membership() {
            Ok(Some(member)) if member.removed => anyhow::Error::new(removed::failure(path, &member)),
            Ok(Some(member)) => anyhow::Error::new(removed::doubted(path, &member)),
            Ok(None) | Err(_) => anyhow::anyhow!("this node was removed from its cluster"),
        }
    }

    /// The control group.
    pub(super) fn group(&self) -> Arc<dyn ControlGroup> {
        self.shards.clone()
    }

    fn api_tokens(&self) -> ApiTokens {
        ApiTokens { node: self.mesh.incarnation().node, group: self.group(), clock: self.clock.clone() }
    }

    fn measures(&self) -> NodeMeasures {
        let Self { mesh, shards, membership, .. } = self;
        NodeMeasures { mesh: mesh.clone(), shards: shards.clone(), membership: membership.clone() }
    }

    /// A registry in which capabilities find what lies below them.
    pub(super) fn registry(&self) -> Registry<Open> {
        Registry::new()
            .with_substrate::<dyn LedgerPort>(self.shards.ledger())
            .with_substrate::<dyn LedShardsPort>(self.shards.led())
            .with_substrate::<dyn BlobPort>(self.blobs.clone())
            .with_substrate::<dyn MeshPort>(self.mesh.clone())
            .with_substrate::<dyn ClusterPort>(self.cluster.clone())
            .with_substrate::<dyn MeasuresPort>(Arc::new(self.measures()))
            .with_substrate::<dyn ApiTokensPort>(Arc::new(self.api_tokens()))
    }

    /// Hands over what this node leads, says goodbye, and lets go of files and ports. What is not done within `limit` is left
    /// to the next start.
    pub(super) async fn close(&self, limit: Duration) {
        self.stopping.cancel();
        if !self.shards.close(limit).await {
            tracing::warn!("the groups took too long to stop; the next start takes up what is in their logs");
        }
        self.membership.leave().await;
        self.facts.stop();
        self.mesh.close().await;
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
