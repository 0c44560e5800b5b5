//! The groups of a node.

use super::authority::{Authority, Gate};
use super::context::{Context, DIGESTS, READS, raft_config};
use super::core::Core;
use super::losses::OwnLosses;
use super::network::{AppendLane, SnapshotReceiver, VoteLane, Wires};
use super::recovery::Recovered;
use super::registry::Registry;
use super::suspension::Suspension;
use super::time::{self, ClockReport, Clocks};
use super::{
    closing, failover, founding, housekeeping, losses, parting, places, pulse, reconciler, recovery, revival, trim,
    watchdog,
};
use crate::config::ShardHostConfig;
use crate::error::{ControlError, OpenError, RecoverError};
use crate::forward::{ClusterLedger, ControlLane, ForwardLane, Hints, Led, digests, propose_control};
use crate::metrics::{GroupCounters, GroupMetrics, UnendedUse};
use crate::raft::GroupId;
use crate::raft::log::LogHost;
use crate::raft::machine::{ReplicaDigest, StateConfig, StateHost};
use crate::stores::Opener;
use crate::work;
use octopussy_control::{ClusterRecord, ControlApplied, ControlCommand, ControlState, MemberRecord};
use octopussy_core::ids::{BlobId, NodeId, ShardId};
use octopussy_core::ports::{
    Asker, Lane, LedShardsPort, LedgerPort, MeshPort, ProposeError, ReachabilityPort, StreamKind,
};
use octopussy_core::time::Clock;
use octopussy_placement::GroupView;
use octopussy_store::{Engine, StoreOptions};
use openraft::async_runtime::watch::WatchReceiver;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The directory of the log, in the data directory.
const LOG: &str = "log";

/// The Raft groups of a node: the control group, and a group for each shard of which this node holds a replica.
///
/// [`ShardHost::close`] stops it in order. Without that it runs on until its runtime ends.
pub struct ShardHost {
    core: Arc<Core>,
}

impl ShardHost {
    /// Opens what is in `config.dir`, or makes it: the log, the state, the groups of which a replica lies there. Serves the
    /// mesh's lanes for Raft, forwarding and control from then on. A directory that belongs to no cluster yet waits for
    /// [`ShardHost::found`] or [`ShardHost::adopt`]. This node is the mesh's.
    ///
    /// # Errors
    /// [`OpenError`]; the message names the path and the way out.
    pub async fn open(
        config: ShardHostConfig,
        clock: Arc<dyn Clock>,
        mesh: Arc<dyn MeshPort>,
        reach: Arc<dyn ReachabilityPort>,
    ) -> Result<Arc<Self>, OpenError> {
        Self::open_with(config, clock, mesh, reach, Arc::new(octopussy_store::open)).await
    }

    pub(crate) async fn open_with(
        config: ShardHostConfig,
        clock: Arc<dyn Clock>,
        mesh: Arc<dyn MeshPort>,
        reach: Arc<dyn ReachabilityPort>,
        opener: Opener,
    ) -> Result<Arc<Self>, OpenError> {
        let raft = Arc::new(raft_config(&config.timings)?);
        let octopussy_core::ports::Incarnation { node: me, boot } = mesh.incarnation();
        let (log, state) = open_stores(&config, me, opener).await?;
        let wires = Wires::new(Arc::clone(&mesh), config.timings);
        let control = state.watch_control();
        let (counters, suspension) = (Arc::<GroupCounters>::default(), Suspension::new());
        let fallen = Notify::new();
        let registry = Arc::new(Registry::default());
        let introduced = config.introduced.clone();
        let authority = Authority::new(control.clone(), Arc::clone(&registry), Arc::clone(&mesh), introduced);
        let clocks = Clocks::new(clock);
        // Before anything is led. In a cluster of one nobody else has to be asked.
        clocks.judge(&time::full_members(&control.borrow()), &[], true);
        let (reading, digesting) = (Arc::new(Semaphore::new(READS)), Semaphore::new(DIGESTS));
        let context = Context {
            me,
            boot,
            config,
            raft,
            wires,
            log,
            state,
            clocks,
            fallen,
            counters,
            suspension,
            reading,
            digesting,
        };
        let context = Arc::new(context);
        let core = Arc::new(Core {
            context,
            registry,
            mesh,
            reach,
            control,
            authority,
            hints: Hints::default(),
            acted: Notify::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            revivals: AtomicU64::new(0),
            dead_dropped: AtomicU64::new(0),
        });
        places::start(&core, GroupId::CONTROL).await?;
        for group in places::with_data(&core) {
            if core.context.log.is_buried(group) {
                parting::finish(&core, group).await;
            } else if core.registry.get(group).is_none() {
                places::start(&core, group).await?;
            }
        }
        let host = Arc::new(Self { core });
        host.serve();
        host.run();
        Ok(host)
    }

    /// Serves the lanes of the mesh, and has everything that comes in on it judged.
    fn serve(&self) {
        let (core, mesh) = (&self.core, &self.core.mesh);
        mesh.guard(Arc::new(Gate(Arc::clone(&core.authority))));
        mesh.serve(Lane::RaftVote, Arc::new(VoteLane::new(Arc::clone(core))));
        mesh.serve(Lane::RaftAppend, Arc::new(AppendLane::new(Arc::clone(&core.authority))));
        let receiver = SnapshotReceiver::new(Arc::clone(&core.authority), Arc::clone(&core.context.state));
        mesh.serve_streams(StreamKind::Snapshot, Arc::new(receiver));
        mesh.serve(Lane::Forward, Arc::new(ForwardLane::new(Arc::clone(core))));
        mesh.serve(Lane::Control, Arc::new(ControlLane::new(Arc::clone(core))));
    }

    /// Starts what goes on beside the groups.
    fn run(&self) {
        let core = &self.core;
        let (ears, told) = failover::listen();
        core.mesh.observe(ears);
        core.tasks.spawn(failover::run(Arc::clone(core), told));
        core.tasks.spawn(time::run(Arc::clone(core)));
        core.tasks.spawn(pulse::run(Arc::clone(core)));
        core.tasks.spawn(places::run(Arc::clone(core)));
        core.tasks.spawn(parting::run(Arc::clone(core)));
        core.tasks.spawn(revival::run(Arc::clone(core)));
        core.tasks.spawn(housekeeping::run(Arc::clone(core)));
        core.tasks.spawn(trim::run(Arc::clone(core)));
        core.tasks.spawn(reconciler::run(Arc::clone(core)));
        core.tasks.spawn(watchdog::run(Arc::clone(core)));
    }

    /// Whether this node belongs to a cluster: its own copy of the control state names it as a member.
    #[must_use]
    pub fn is_member(&self) -> bool {
        let state = self.core.control();
        state.cluster.is_some() && state.members.contains_key(&self.core.me())
    }

    /// How the members' clocks differ, as this node has measured it.
    #[must_use]
    pub fn clocks(&self) -> ClockReport {
        self.core.context.clocks.report()
    }

    /// Founds a cluster of this node alone, which holds every shard. Returns when this node leads all of them. A founding
    /// that was interrupted is finished by the next start.
    ///
    /// # Errors
    /// [`OpenError`]: nothing is founded, or it will be finished by the next start.
    pub async fn found(&self, cluster: ClusterRecord, founder: MemberRecord) -> Result<(), OpenError> {
        founding::found(&self.core, cluster, founder).await
    }

    /// Waits, at most for `limit`, until the control group has reached this node, which another member has just let in.
    ///
    /// # Errors
    /// [`OpenError::Late`] when it has not; it may be waited for again.
    pub async fn adopt(&self, limit: Duration) -> Result<(), OpenError> {
        founding::adopt(&self.core, limit).await
    }

    /// Waits, at most for `limit`, until every shard that this node holds a replica of has a leader. Says whether they have.
    pub async fn settled(&self, limit: Duration) -> bool {
        founding::settled(&self.core, limit).await
    }

    /// This node's copy of what the control group knows.
    #[must_use]
    pub fn control(&self) -> Arc<ControlState> {
        self.core.control()
    }

    /// Sees every change of this node's copy of what the control group knows.
    #[must_use]
    pub fn watch_control(&self) -> watch::Receiver<Arc<ControlState>> {
        self.core.control.clone()
    }

    /// Commits a command of the control group that this node gives by itself, from any node, and answers when it is applied at its leader.
    ///
    /// # Errors
    /// [`ControlError`]; its variants say what is known of the command.
    pub async fn propose_control(&self, command: ControlCommand) -> Result<ControlApplied, ControlError> {
        self.propose_control_for(Asker::Node, command).await
    }

    /// The same for whoever asks: the leader looks whether they may have it done, and it is noted of what changes members.
    ///
    /// # Errors
    /// As for [`Self::propose_control`].
    pub async fn propose_control_for(
        &self,
        asker: Asker,
        command: ControlCommand,
    ) -> Result<ControlApplied, ControlError> {
        propose_control(&self.core, asker, command).await
    }

    /// The ledger of the cluster. What no leader can be reached for is answered after `config.patience`.
    #[must_use]
    pub fn ledger(&self) -> Arc<dyn LedgerPort> {
        Arc::new(ClusterLedger::new(Arc::clone(&self.core)))
    }

    /// The shards this node leads.
    #[must_use]
    pub fn led(&self) -> Arc<dyn LedShardsPort> {
        Arc::new(Led::new(Arc::clone(&self.core)))
    }

    /// The groups that have a replica here, for display.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupView> {
        reconciler::views(&self.core)
    }

    /// The blobs that the shards which have a replica here name: their agents' documents, and those of tasks that have not
    /// ended. Reads every agent.
    ///
    /// # Errors
    /// [`ProposeError::Store`] when the state cannot be read, [`ProposeError::Stopping`] while the node stops.
    pub async fn named_blobs(&self) -> Result<BTreeSet<BlobId>, ProposeError> {
        let state = Arc::clone(&self.core.context.state);
        let shards: Vec<ShardId> = self.core.registry.ids().into_iter().filter_map(GroupId::shard).collect();
        work::blocking(move || state.named_blobs(&shards)).await.unwrap_or(Err(ProposeError::Stopping))
    }

    /// What the replicas at each full member have applied, in a few bytes each; nodes that do not answer say why. Replicas of a
    /// group that have applied the same entries have the same digest. Every node reads all that it has stored.
    pub async fn digests(&self) -> Vec<(NodeId, Result<Vec<ReplicaDigest>, Arc<str>>)> {
        digests::everywhere(&self.core).await
    }

    /// How many times, since the node was started, a group that had ended by itself here was started again. Each is a fault of
    /// this program or of its disk, and its reason is in the log.
    #[must_use]
    pub fn group_restarts(&self) -> u64 {
        self.core.revivals.load(Ordering::Relaxed)
    }

    /// How many replicas of each node this one, as their leader, has found to have lost what they had since it was started: their
    /// disks lost it, or an older copy of a home was started. They are let in again as new ones.
    #[must_use]
    pub fn lost_replicas(&self) -> BTreeMap<NodeId, u64> {
        self.core.context.counters.lost_replicas()
    }

    /// What the replicas of this node have lost.
    #[must_use]
    pub fn own_losses(&self) -> OwnLosses {
        losses::look(&self.core)
    }

    /// The groups that this node leads and in which nothing has been committed for long although entries wait: 0 is the control
    /// group, shard `n` is group `n + 1`.
    #[must_use]
    pub fn stuck(&self) -> Vec<u16> {
        self.core.registry.all().iter().filter(|group| group.is_stuck()).map(|group| group.id().0).collect()
    }

    /// How many shards are moving or have yet to, as this node sees the cluster. The leaders bring shards to where they belong
    /// by themselves, a few at a time; what is led here is looked at at once.
    #[must_use]
    pub fn rebalance(&self) -> usize {
        reconciler::rebalance(&self.core)
    }

    /// Who leads the control group, as far as this node knows.
    #[must_use]
    pub fn control_leader(&self) -> Option<NodeId> {
        self.core.leader(GroupId::CONTROL)
    }

    /// Makes this node the only voter of every group of which it holds a replica and whose quorum does not answer: the
    /// control group first. What only the lost nodes knew is lost; those of them that had copies of these groups are told to
    /// leave the cluster. `asker` is who wants it.
    ///
    /// # Errors
    /// [`RecoverError`]; what was recovered before it stays so.
    pub async fn recover(&self, asker: &Asker) -> Result<Recovered, RecoverError> {
        recovery::recover(&self.core, asker).await
    }

    /// Hands over what this node leads, stops the groups, stores everything and lets go of the files. Answers whether that
    /// was done within `limit`; otherwise it goes on behind, and what is not stored is in the log.
    pub async fn close(&self, limit: Duration) -> bool {
        closing::close(&self.core, limit).await
    }

    /// What the groups here have counted since the start, and how they stand.
    #[must_use]
    pub fn metrics(&self) -> GroupMetrics {
        let Context { counters, log, state, .. } = &*self.core.context;
        let groups = self.core.registry.all();
        let unended = self.core.context.unended();
        GroupMetrics {
            groups: groups.len() as u64,
            restarts: self.group_restarts(),
            lost_replicas: counters.lost_replicas().values().sum(),
            lost_here: counters.count_lost_here(),
            led: groups.iter().filter(|group| group.speaks()).count() as u64,
            elections: counters.elections(),
            leader_changes: counters.leader_changes(),
            leaderships: counters.leaderships(),
            step_downs: counters.step_downs(),
            stuck: groups.iter().filter(|group| group.is_stuck()).count() as u64,
            stalls: counters.stalls(),
            applied_entries: state.applied_entries(),
            appended_bytes: log.appended_bytes(),
            log_syncs: log.syncs(),
            log_bytes: log.size_on_disk().unwrap_or_default(),
            state_bytes: state.size_on_disk(),
            unended_bytes: unended.memory.0,
            waiting_bytes: unended.disk.0,
            dead_dropped: self.core.dead_dropped.load(std::sync::atomic::Ordering::Relaxed),
        }
    }

    /// What the unended tasks of all shards here take, and what they may take.
    #[must_use]
    pub fn unended(&self) -> UnendedUse {
        self.core.context.unended()
    }

    /// Changes with everything that the shards which have a replica here apply.
    #[must_use]
    pub fn applied(&self) -> u64 {
        let shards = self.core.registry.all().into_iter().filter(|group| group.id() != GroupId::CONTROL);
        shards
            .filter_map(|group| group.raft().data_metrics().borrow_watched().last_applied)
            .map(|last| last.index)
            .sum()
    }

    /// The bytes that log and state take on the disk.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        self.core.context.log.size_on_disk().unwrap_or_default() + self.core.context.state.size_on_disk()
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

/// Opens log and state, which blocks, beside the runtime.
pub(crate) async fn open_stores(
    config: &ShardHostConfig,
    node: NodeId,
    opener: Opener,
) -> Result<(Arc<LogHost>, Arc<StateHost>), OpenError> {
    let config = config.clone();
    let opened = work::blocking(move || {
        std::fs::create_dir_all(&config.dir)
            .map_err(|source| OpenError::Directory { path: config.dir.clone(), source })?;
        let path = config.dir.join(LOG);
        let options = StoreOptions { engine: Engine::Segments, cache_bytes: 0, quick_reopen: false };
        let log = LogHost::open(&path, options, Arc::clone(&opener))?;
        if config.restored {
            log.restored();
        }
        let state = StateHost::open_with(
            StateConfig {
                dir: config.dir.clone(),
                engine: config.engine,
                cache_bytes: config.cache_bytes(),
                flush_interval: config.flush_interval,
                node,
            },
            opener,
        )?;
        Ok((log, state))
    });
    opened.await.map_err(|_| OpenError::Late("opening the stores"))?
}
