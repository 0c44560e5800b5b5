//! One Raft group of this node.

use super::batcher::Batcher;
use super::context::Context;
use super::leadership::{Leadership, Yielded};
use super::lease::Lease;
use super::line::Line;
use super::machine::AnyMachine;
use super::network::NetworkFactory;
use super::promise::is_sole_voter;
use super::proposal::{Answer, Fault, Item};
use super::urgency::Urgency;
use crate::error::OpenError;
use crate::raft::{GroupId, TypeConfig};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Raft, ServerState};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A group's Raft.
pub(crate) type GroupRaft = Raft<TypeConfig, AnyMachine>;

/// One Raft group of this node.
pub(crate) struct Group {
    pub(super) id: GroupId,
    pub(super) context: Arc<Context>,
    pub(super) raft: GroupRaft,
    line: Line,
    pub(super) leadership: Mutex<Leadership>,
    pub(super) lease: Lease,
    /// Which leadership is given away.
    pub(super) yielded: Mutex<Yielded>,
    /// When the leadership was gained, or somebody was last asked to take it.
    pub(super) rested: Mutex<Option<Instant>>,
    /// Until when it keeps to what it may have promised before it started.
    pub(super) bound_until: Option<Instant>,
    /// Whether an action of the reconciler is being carried out.
    busy: AtomicBool,
    /// Whether this node stands for election, since the leader was seen to go.
    standing: AtomicBool,
    /// The bytes of the entries since the log was last shortened.
    appended: AtomicU64,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Whether its Raft has ended by itself.
    pub(super) ended: AtomicBool,
    /// Whether somebody sees to it that the group is started again.
    pub(super) reviving: AtomicBool,
    /// What works on the group's state: its state machine, and what builds snapshots of it. Closed, so that it can be waited for.
    pub(super) users: TaskTracker,
}

impl Group {
    /// Starts the group from what its log and state hold; one that holds nothing waits to be contacted by a leader.
    pub(crate) async fn start(id: GroupId, context: Arc<Context>) -> Result<Arc<Self>, OpenError> {
        let users = TaskTracker::new();
        users.close();
        let machine = AnyMachine::of(id, &context.state, &users);
        let network = NetworkFactory { wires: Arc::clone(&context.wires), group: id };
        let log = context.log.group(id);
        let promised = log.vote().is_some();
        let raft = Raft::new(context.me, Arc::clone(&context.raft), network, log, machine)
            .await
            .map_err(|fatal| OpenError::Group { group: id.0, detail: fatal.to_string() })?;
        let alone = is_sole_voter(&raft, context.me).await;
        let bound_until = (promised && !alone).then(|| Instant::now() + context.config.timings.election_max);
        let group = Arc::new(Self {
            id,
            context,
            raft,
            line: Line::default(),
            leadership: Mutex::default(),
            lease: Lease::new(),
            yielded: Mutex::default(),
            rested: Mutex::default(),
            bound_until,
            busy: AtomicBool::new(false),
            standing: AtomicBool::new(false),
            appended: AtomicU64::new(0),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            ended: AtomicBool::new(false),
            reviving: AtomicBool::new(false),
            users,
        });
        group.tasks.spawn(Batcher::new(Arc::clone(&group)).run());
        group.tasks.spawn(Arc::clone(&group).watch());
        group.keep_promise(alone).await;
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
        !self.has_ended() && self.raft.server_metrics().borrow_watched().state == ServerState::Leader
    }

    /// Whether it leads it, with anybody who follows.
    pub(crate) fn leads_others(&self) -> bool {
        let server = self.raft.server_metrics();
        let server = server.borrow_watched();
        !self.has_ended() && server.state == ServerState::Leader && server.membership_config.nodes().nth(1).is_some()
    }

    /// Who leads the group, as far as this node knows.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        if self.has_ended() {
            return None;
        }
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

    /// Counts the bytes of entries that the log gets.
    pub(crate) fn note_appended(&self, bytes: usize) {
        self.appended.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The bytes counted since they were last forgotten.
    pub(crate) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    /// Begins to count anew.
    pub(crate) fn forget_appended(&self) {
        self.appended.store(0, Ordering::Relaxed);
    }

    /// Whether a command may be put in line; otherwise why not.
    pub(crate) fn admits(&self) -> Result<(), Fault> {
        if self.stopping.is_cancelled() || self.has_ended() {
            return Err(self.farewell());
        }
        if self.speaks() {
            return self.context.health().map_err(Fault::Store);
        }
        // Whether this node can write does not matter to those whom another node leads.
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
        let bytes = bytes
            .map_err(|error| Fault::Store(octopussy_core::ports::ProposeError::Store(error.to_string().into())))?;
        let (caller, answer) = oneshot::channel();
        // The line closes when the group stops, which may be now.
        let full = |fault| if self.has_ended() { self.farewell() } else { fault };
        self.line.push(item, bytes, urgency, caller).map_err(full)?;
        Ok(answer)
    }

    /// Stops the group once what is in line is answered; what it has stays on the disk.
    pub(crate) async fn stop(self: &Arc<Self>) {
        self.stopping.cancel();
        self.review();
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(group = %self.id, %error, "the group did not stop in order");
        }
    }
}
