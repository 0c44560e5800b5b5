//! One Raft group of this node.

use super::batcher::Batcher;
use super::context::Context;
use super::lease::Lease;
use super::leadership::{Leadership, LeaseEnd, Observed, Turn};
use super::line::Line;
use super::machine::AnyMachine;
use super::network::NetworkFactory;
use super::proposal::{Answer, Fault, Item};
use super::urgency::Urgency;
use crate::error::OpenError;
use crate::raft::{GroupId, TypeConfig};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use octopussy_core::task::Command;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, Raft, ServerState};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A group's Raft.
pub(crate) type GroupRaft = Raft<TypeConfig, AnyMachine>;

/// How soon an activation that failed is tried again.
const ACTIVATE_AGAIN: Duration = Duration::from_millis(100);

/// One Raft group of this node.
pub(crate) struct Group {
    id: GroupId,
    context: Arc<Context>,
    raft: GroupRaft,
    line: Line,
    leadership: Mutex<Leadership>,
    lease: Lease,
    /// Until when the leadership is being given away.
    yielding: Mutex<Option<Instant>>,
    /// When the leadership was gained, or somebody was last asked to take it.
    rested: Mutex<Option<Instant>>,
    /// Whether an action of the reconciler is being carried out.
    busy: AtomicBool,
    /// Whether this node stands for election, since the leader was seen to go.
    standing: AtomicBool,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Group {
    /// Starts the group from what its log and state hold; one that holds nothing waits to be contacted by a leader.
    pub(crate) async fn start(id: GroupId, context: Arc<Context>) -> Result<Arc<Self>, OpenError> {
        let machine = match id.shard() {
            Some(shard) => AnyMachine::Shard(context.state.shard(shard)),
            None => AnyMachine::Control(context.state.control()),
        };
        let network = NetworkFactory { wires: Arc::clone(&context.wires), group: id };
        let raft = Raft::new(context.me, Arc::clone(&context.raft), network, context.log.group(id), machine)
            .await
            .map_err(|fatal| OpenError::Group { group: id.0, detail: fatal.to_string() })?;
        let group = Arc::new(Self {
            id,
            context,
            raft,
            line: Line::default(),
            leadership: Mutex::default(),
            lease: Lease::new(),
            yielding: Mutex::default(),
            rested: Mutex::default(),
            busy: AtomicBool::new(false),
            standing: AtomicBool::new(false),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        group.tasks.spawn(Batcher::new(Arc::clone(&group)).run());
        group.tasks.spawn(Arc::clone(&group).watch());
        Ok(group)
    }

    pub(crate) const fn id(&self) -> GroupId {
        self.id
    }

    pub(crate) const fn raft(&self) -> &GroupRaft {
        &self.raft
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    pub(crate) const fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) const fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Whether this node may speak for the group: it leads it, and its lease has not run out.
    pub(crate) fn speaks(&self) -> bool {
        self.lease.is_valid()
    }

    /// Whether this node's Raft leads the group, whether or not it may speak for it.
    pub(crate) fn leads(&self) -> bool {
        self.raft.server_metrics().borrow_watched().state == ServerState::Leader
    }

    /// Whether it leads it, with anybody who follows.
    pub(crate) fn leads_others(&self) -> bool {
        let server = self.raft.server_metrics();
        let server = server.borrow_watched();
        server.state == ServerState::Leader && server.membership_config.nodes().nth(1).is_some()
    }

    /// Who leads the group, as far as this node knows.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.raft.server_metrics().borrow_watched().current_leader
    }

    /// Who votes in the group's latest membership.
    pub(crate) fn voters(&self) -> Vec<NodeId> {
        self.raft.server_metrics().borrow_watched().membership_config.voter_ids().collect()
    }

    /// When the leadership was gained or was last offered, while it is held.
    pub(crate) fn rested(&self) -> Option<Duration> {
        self.rested.lock().map(|since| since.elapsed())
    }

    /// Claims the group for one action of the reconciler; false while another is under way.
    pub(crate) fn claim(&self) -> bool {
        !self.busy.swap(true, Ordering::AcqRel)
    }

    /// Ends the claim.
    pub(crate) fn release(&self) {
        self.busy.store(false, Ordering::Release);
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Begins to stand for election; false when this node does so already.
    pub(crate) fn begin_standing(&self) -> bool {
        !self.standing.swap(true, Ordering::AcqRel)
    }

    /// Does not stand any longer.
    pub(crate) fn end_standing(&self) {
        self.standing.store(false, Ordering::Release);
    }

    /// Whether a command may be put in line; otherwise why not.
    pub(crate) fn admits(&self) -> Result<(), Fault> {
        if self.stopping.is_cancelled() {
            return Err(Fault::Stopping);
        }
        self.context.health().map_err(Fault::Store)?;
        if self.speaks() {
            return Ok(());
        }
        let server = self.raft.server_metrics();
        let server = server.borrow_watched();
        Err(if server.state == ServerState::Leader {
            Fault::Fenced
        } else {
            Fault::NotLeader(server.current_leader.filter(|leader| *leader != self.context.me))
        })
    }

    /// Puts a command in line, or says why not.
    pub(crate) fn propose(&self, item: Item, urgency: Urgency) -> Result<Answer, Fault> {
        self.admits()?;
        let bytes = match &item {
            Item::Shard(command) => codec::encoded_len(command),
            Item::Control(command) => codec::encoded_len(command),
        };
        let bytes = bytes.map_err(|error| {
            Fault::Store(octopussy_core::ports::ProposeError::Store(error.to_string().into()))
        })?;
        let (caller, answer) = oneshot::channel();
        self.line.push(item, bytes, urgency, caller)?;
        Ok(answer)
    }

    /// Looks whether this node (still) may speak for the group, and acts on it.
    pub(crate) fn review(self: &Arc<Self>) {
        let mut leadership = self.leadership.lock();
        loop {
            let now = Instant::now();
            let observed = self.observe(now);
            let turn = leadership.look(observed, now);
            self.lease.set(if leadership.held().is_some() { observed.lease } else { LeaseEnd::Never });
            match turn {
                Turn::Stay => return,
                Turn::Gain(term) => {
                    tracing::info!(group = %self.id, term, "this node leads the group");
                    *self.rested.lock() = Some(now);
                    self.activate(term);
                    return;
                }
                Turn::Lose => {
                    tracing::info!(group = %self.id, "this node does not lead the group any longer");
                    if let Some(shard) = self.id.shard() {
                        self.context.state.lose(shard);
                    }
                    // Another term may follow at once.
                }
            }
        }
    }

    /// Gives the leadership away: this node is silent before another can be elected, and for as long as `limit` at most.
    pub(crate) async fn hand_over(self: &Arc<Self>, to: NodeId, limit: Duration) -> bool {
        *self.yielding.lock() = Some(Instant::now() + limit);
        *self.rested.lock() = Some(Instant::now());
        self.review();
        let mut server = self.raft.server_metrics();
        let gone = async {
            self.raft.trigger().transfer_leader(to).await.ok()?;
            loop {
                if server.borrow_and_update().state != ServerState::Leader {
                    return Some(());
                }
                server.changed().await.ok()?;
            }
        };
        let gone = matches!(tokio::time::timeout(limit, gone).await, Ok(Some(())));
        *self.yielding.lock() = None;
        self.review();
        gone
    }

    fn observe(&self, now: Instant) -> Observed {
        let me = self.context.me;
        let server = self.raft.server_metrics().borrow_watched().clone();
        let votes = server.committed_membership_config.voter_ids().any(|voter| voter == me);
        let leads = server.state == ServerState::Leader && votes && !self.stopping.is_cancelled();
        let leads = leads.then_some(server.vote.leader_id.term);
        let memberships = [&server.committed_membership_config, &server.membership_config];
        let lease = if memberships.iter().all(|membership| membership.voter_ids().all(|voter| voter == me)) {
            LeaseEnd::Unbounded
        } else {
            let acked = self.raft.data_metrics().borrow_watched().last_quorum_acked;
            acked.map_or(LeaseEnd::Never, |at| LeaseEnd::At(now + self.context.lease().saturating_sub(at.elapsed())))
        };
        let yielding = self.yielding.lock().is_some_and(|until| now < until);
        Observed { leads, lease, yielding }
    }

    /// Announces the leadership and puts its activation in line, before anything else of this leadership.
    fn activate(self: &Arc<Self>, term: u64) {
        let Some(shard) = self.id.shard() else { return };
        self.context.state.set_leading(shard, Some(term));
        let this = Arc::clone(self);
        let answer = self.propose_activation();
        self.tasks.spawn(async move {
            let mut answer = answer;
            loop {
                let activated = match answer {
                    Ok(answer) => matches!(answer.await, Ok(Ok(_))),
                    Err(_) => false,
                };
                if activated || this.stopping.is_cancelled() || this.leadership.lock().held() != Some(term) {
                    return;
                }
                tokio::time::sleep(ACTIVATE_AGAIN).await;
                answer = this.propose_activation();
            }
        });
    }

    fn propose_activation(&self) -> Result<Answer, Fault> {
        let Some(shard) = self.id.shard() else { return Err(Fault::Stopping) };
        let max_age = self.context.config.max_recovery_age;
        let command = Command::Activate { shard, node: self.context.me, now: self.context.clock.now(), max_age };
        self.propose(Item::Shard(command), Urgency::InProgress)
    }

    /// Reviews the leadership whenever Raft's state changes.
    async fn watch(self: Arc<Self>) {
        let mut server = self.raft.server_metrics();
        loop {
            self.review();
            tokio::select! {
                changed = server.changed() => if changed.is_err() { break },
                () = self.stopping.cancelled() => break,
            }
        }
    }

    /// Stops the group; what it has stays on the disk.
    pub(crate) async fn stop(&self) {
        self.stopping.cancel();
        if let Some(shard) = self.id.shard() {
            self.context.state.lose(shard);
        }
        self.lease.set(LeaseEnd::Never);
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(group = %self.id, %error, "the group did not stop in order");
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}
