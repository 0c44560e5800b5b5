//! The system of this node: which capabilities there are, and what each is made from.

use super::Prepared;
use super::access::{AccessCapability, AccessConfig};
use super::home_lock::HomeLock;
use super::services::ClusterServices;
use super::substrate::Substrate;
use crate::process::{ClusterFacts, connections, open_files};
use crate::version::VERSION;
use anyhow::Context;
use octopussy_agents::actor::ActorCapability;
use octopussy_agents::agent_factory::AgentFactoryCapability;
use octopussy_agents::agent_lifecycle::AgentLifecycleCapability;
use octopussy_core::ports::MemberRole;
use octopussy_execution::llm_router::LlmRouterCapability;
use octopussy_gateway::{Addresses, GatewayConfig, NodeFacts, OrchestratorCapability, OrchestratorConfig, TlsMode};
use octopussy_infrastructure::configuration::{ConfigurationCapability, ConfigurationConfig};
use octopussy_infrastructure::messaging::MessagingCapability;
use octopussy_infrastructure::observability::ObservabilityCapability;
use octopussy_infrastructure::secrets::SecretsCapability;
use octopussy_infrastructure::security::SecurityCapability;
use octopussy_knowledge::prompt_engine::PromptEngineCapability;
use octopussy_knowledge::token_budget::TokenBudgetCapability;
use octopussy_lifecycle::{Host, Registry, Sealed, StatusBoard, System};
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What lies below the capabilities while the node serves, and the lock on its home.
pub(super) struct Serving {
    substrate: Substrate,
    _lock: HomeLock,
}

impl Serving {
    /// Hands over what this node leads and lets go of everything.
    pub(super) async fn close(&self, limit: Duration) {
        self.substrate.close(limit).await;
    }

    /// Ends when this node was removed from its cluster, with what is to be said about it.
    pub(super) async fn removed(&self) -> anyhow::Error {
        self.substrate.removed().await
    }
}

impl Prepared {
    /// Opens what lies below and starts everything. Gives up, and undoes what had started, when `interrupt` ends first.
    pub(super) async fn start(
        self,
        interrupt: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<(System, Serving)> {
        let substrate = Substrate::open(&self).await?;
        match self.start_over(&substrate, interrupt).await {
            Ok((system, lock)) => Ok((system, Serving { substrate, _lock: lock })),
            Err(error) => {
                substrate.close(super::STOP_WITHIN / 4).await;
                Err(error)
            }
        }
    }

    async fn start_over(
        self,
        substrate: &Substrate,
        interrupt: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<(System, HomeLock)> {
        let board = Arc::new(StatusBoard::new());
        let host = Host::new(self.clock.clone(), self.home.path().to_owned()).with_board(board.clone());
        let (registry, lock) = self.register(substrate, &board)?;
        let (interrupted, removed) = (host.interrupt.clone(), substrate.removed.clone());
        let watch = tokio::spawn(async move {
            tokio::select! {
                () = interrupt => {}
                () = removed.cancelled() => {}
            }
            interrupted.cancel();
        });
        let started = registry.start_all(host).await;
        watch.abort();
        if started.is_err() && substrate.removed.is_cancelled() {
            return Err(substrate.removed().await);
        }
        let system = started.map_err(|error| anyhow::anyhow!(error.chain()))?;
        Ok((system, lock))
    }

    fn register(self, substrate: &Substrate, board: &Arc<StatusBoard>) -> anyhow::Result<(Registry<Sealed>, HomeLock)> {
        let addresses = Arc::new(OnceLock::new());
        let services = ClusterServices::new(&self, substrate)?;
        let cluster = self.cluster_facts(substrate)?;
        let orchestrator = self.orchestrator(cluster.guest, board, &addresses);
        let Self { home, source, settings, lock, .. } = self;
        let configuration = ConfigurationConfig {
            section: settings.configuration,
            initial: settings.tree,
            paths: vec![source.file()],
            loader: Arc::new(move || source.load().map(|settings| settings.tree)),
        };
        let access = AccessConfig { home, identity: substrate.identity.clone(), addresses, cluster, services };
        let registry = substrate
            .registry()
            .register::<SecretsCapability>(settings.secrets)?
            .register::<ConfigurationCapability>(configuration)?
            .register::<ObservabilityCapability>(settings.observability)?
            .register::<SecurityCapability>(settings.security)?
            .register::<MessagingCapability>(settings.messaging)?
            .register::<LlmRouterCapability>(settings.llm_router)?
            .register::<TokenBudgetCapability>(settings.token_budget)?
            .register::<PromptEngineCapability>(settings.prompt_engine)?
            .register::<ActorCapability>(settings.actor)?
            .register::<AgentLifecycleCapability>(settings.agent_lifecycle)?
            .register::<AgentFactoryCapability>(settings.agent_factory)?
            .register::<OrchestratorCapability>(orchestrator)?
            .register::<AccessCapability>(access)?;
        Ok((registry.seal()?, lock))
    }

    /// What the node's file tells of its place in the cluster.
    fn cluster_facts(&self, substrate: &Substrate) -> anyhow::Result<ClusterFacts> {
        let member = self.cluster_home.membership()?;
        let member = member.context("this home belongs to no cluster although it should")?;
        Ok(ClusterFacts {
            cluster: member.cluster,
            node: self.identity.node_id.to_string(),
            name: member.name,
            guest: member.role == MemberRole::Guest,
            mesh: substrate.addresses.first().map(ToString::to_string).unwrap_or_default(),
            members: substrate.shards.control().members.len(),
        })
    }

    /// The section `gateway`, with no more connections than files may be open.
    fn gateway(&self) -> GatewayConfig {
        let mut gateway = self.settings.gateway.clone();
        let (open_files, wanted) = (open_files(), gateway.limits.connections);
        gateway.limits.connections = connections(open_files, wanted);
        if gateway.limits.connections < wanted {
            tracing::info!(
                open_files,
                connections = gateway.limits.connections,
                "fewer connections a port than gateway.limits.connections: the system lets this process open few files"
            );
        }
        gateway
    }

    fn orchestrator(
        &self,
        guest: bool,
        board: &Arc<StatusBoard>,
        addresses: &Arc<OnceLock<Addresses>>,
    ) -> OrchestratorConfig {
        let (views, waits, listening) = (board.clone(), board.clone(), addresses.clone());
        OrchestratorConfig {
            gateway: self.gateway(),
            tls: (self.settings.gateway.tls == TlsMode::On).then(|| self.identity.server_config.clone()),
            node: NodeFacts {
                id: self.identity.node_id,
                guest,
                version: VERSION,
                profile: self.settings.profile.clone(),
                capabilities: Arc::new(move || views.views()),
                not_ready: Arc::new(move || waits.waits_for().map(|(id, phase)| format!("{id} is in phase {phase}"))),
                listening: Arc::new(move |at| {
                    if listening.set(at).is_err() {
                        tracing::error!("the gateway has started to listen a second time");
                    }
                }),
            },
        }
    }
}
