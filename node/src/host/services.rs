//! What a node does for its cluster while it serves: it shares secrets, lets machines in, and tells what it is.

use super::Prepared;
use super::substrate::Substrate;
use crate::cluster::{Admission, Announcement, ClusterHome, ControlGroup, Gatherer, KeysSync, SecretsSync};
use crate::identity::PresentIdentity;
use anyhow::Context;
use octopussy_core::ports::{MemberRole, MeshPort as _, OrchestratorPort, SecretsPort};
use octopussy_core::time::Clock;
use octopussy_execution::llm_router::LlmRouterConfig;
use octopussy_facts::Facts;
use octopussy_mesh::Mesh;
use octopussy_shard::ShardHost;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Ready to begin once the capabilities it needs have started.
pub(super) struct ClusterServices {
    identity: PresentIdentity,
    home: ClusterHome,
    /// What opens the shared secrets; a guest does not have it.
    key: Option<crate::cluster::DataKey>,
    group: Arc<dyn ControlGroup>,
    mesh: Arc<Mesh>,
    facts: Arc<Facts>,
    shards: Arc<ShardHost>,
    clock: Arc<dyn Clock>,
    profile: String,
    models: Vec<String>,
    announcement: Option<Announcement>,
}

impl ClusterServices {
    /// The services of this node. A founder that has no data key yet makes it.
    pub(super) fn new(prepared: &Prepared, substrate: &Substrate) -> anyhow::Result<Self> {
        let home = prepared.cluster_home.clone();
        let member = home.membership()?.context("this home belongs to no cluster although it should")?;
        let key = match member.role {
            MemberRole::Full => {
                Some(home.data_key(member.founder).context("the key of the shared secrets cannot be used")?)
            }
            MemberRole::Guest => None,
        };
        let announcement = announcement(prepared, substrate)?;
        Ok(Self {
            identity: substrate.identity.clone(),
            key,
            home,
            group: substrate.group(),
            mesh: substrate.mesh.clone(),
            facts: substrate.facts.clone(),
            shards: substrate.shards.clone(),
            clock: prepared.clock.clone(),
            profile: prepared.settings.profile.clone(),
            models: local_models(&prepared.settings.llm_router),
            announcement,
        })
    }

    /// Begins; everything ends with `stopping`. `api` is where clients reach this node.
    pub(super) fn begin(
        self,
        secrets: Arc<dyn SecretsPort>,
        orchestrator: Arc<dyn OrchestratorPort>,
        api: String,
        stopping: &CancellationToken,
    ) {
        let node = self.mesh.incarnation().node;
        if let Some(key) = self.key.clone() {
            let key_of_keys = key.clone();
            let sync = SecretsSync {
                node,
                home: self.home,
                key,
                group: self.group.clone(),
                secrets: secrets.clone(),
                clock: self.clock.clone(),
            };
            tokio::spawn(sync.run(stopping.clone()));
            let keys =
                KeysSync { node, key: key_of_keys, group: self.group.clone(), secrets, clock: self.clock.clone() };
            tokio::spawn(keys.run(stopping.clone()));
        }
        self.mesh.serve_join(Arc::new(Admission::new(self.identity, self.group, self.key, self.clock)));
        if let Some(announcement) = self.announcement {
            tokio::spawn(announcement.run(stopping.clone()));
        }
        let gatherer = Gatherer { profile: self.profile, models: self.models, api, orchestrator, shards: self.shards };
        tokio::spawn(gatherer.run(self.facts, stopping.clone()));
    }
}

/// What the local network is told, when somebody wants that; a guest cannot let anybody in and tells nothing.
fn announcement(prepared: &Prepared, substrate: &Substrate) -> anyhow::Result<Option<Announcement>> {
    let identity = &prepared.identity;
    if !prepared.settings.mesh.announce || identity.authority_key().is_none() {
        return Ok(None);
    }
    Ok(Some(Announcement {
        node: identity.node_id,
        cluster: identity.cluster_id.clone(),
        identity: substrate.identity.clone(),
        bound: substrate.mesh.local_addr().context("the mesh does not say where it listens")?,
    }))
}

/// The models that run on machines of our own, as `provider/model`.
fn local_models(router: &LlmRouterConfig) -> Vec<String> {
    let local = router.providers.iter().filter(|(_, provider)| provider.enabled && provider.is_local());
    local.map(|(name, provider)| format!("{name}/{}", provider.model)).collect()
}
