//! One Raft group of this node.

use super::batcher::Batcher;
use super::context::Context;
use super::followers::Followers;
use super::leadership::{Leadership, Yielded};
use super::lease::Lease;
use super::line::Line;
use super::machine::AnyMachine;
use super::network::NetworkFactory;
use super::promise::is_sole_voter;
use super::proposal::{Answer, Fault, Item};
use super::soundness;
use super::time::Stamper;
use super::urgency::Urgency;
use crate::error::OpenError;
use crate::raft::{GroupId, Replica, ReplicaIncarnation, TypeConfig};
use octopussy_core::codec;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MAX_COMMAND_BYTES;
use octopussy_core::time::Timestamp;
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
    /// Which of this node's replicas of the group it is.
    incarnation: ReplicaIncarnation,
    /// What this node knows of the others' replicas.
    followers: Arc<Followers>,
    line: Line,
    pub(super) leadership: Mutex<Leadership>,
    pub(super) lease: Lease,
    /// Which leadership is given away.
    pub(super) yielded: Mutex<Yielded>,
    /// The group's time, while this node leads it.
    stamper: Mutex<Stamper>,
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
    /// Whether entries wait and nothing is committed, under the lead of this node.
    stuck: AtomicBool,
    /// Whether its leader has sent what contradicts what is committed here.
    astray: AtomicBool,
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
        soundness::ensure(&context, id).await?;
        let users = TaskTracker::new();
        users.close();
        let machine = AnyMachine::of(id, &context.state, &users);
        let followers = Arc::new(Followers::new(id, Arc::clone(&context.counters)));
        let network =
            NetworkFactory { wires: Arc::clone(&context.wires), group: id, followers: Arc::clone(&followers) };
        let closed = |error: std::io::Error| OpenError::Group { group: id.0, detail: error.to_string() };
        let incarnation = context.log.begin(id, context.boot).await.map_err(closed)?;
        let log = context.log.group(id);
        let promised = log.vote().is_some();
        let raft = Raft::new(context.me, Arc::clone(&context.raft), network, log, machine)
            .await
            .map_err(|fatal| OpenError::Group { group: id.0, detail: fatal.to_string() })?;
        let alone = is_sole_voter(&raft, context.me, Replica { incarnation }).await;
        let bound_until = (promised && !alone).then(|| Instant::now() + context.config.timings.election_max);
        let group = Arc::new(Self {
            id,
            context,
            raft,
            incarnation,
            followers,
            line: Line::default(),
            leadership: Mutex::default(),
            lease: Lease::new(),
            yielded: Mutex::default(),
            stamper: Mutex::default(),
            rested: Mutex::default(),
            bound_until,
            busy: AtomicBool::new(false),
            standing: AtomicBool::new(false),
            appended: AtomicU64::new(0),
            stuck: AtomicBool::new(false),
            astray: AtomicBool::new(false),
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

    /// Which of this node's replicas of the group it is.
    pub(crate) const fn incarnation(&self) -> ReplicaIncarnation {
        self.incarnation
    }

    /// This replica, as a membership names it.
    pub(crate) const fn replica(&self) -> Replica {
        Replica { incarnation: self.incarnation }
    }

    /// What this node knows of the others' replicas.
    pub(crate) fn followers(&self) -> &Followers {
        &self.followers
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

    /// Notes whether nothing is committed although entries wait; says whether that is news.
    pub(crate) fn note_stuck(&self, stuck: bool) -> bool {
        self.stuck.swap(stuck, Ordering::AcqRel) != stuck
    }

    /// Notes that its leader contradicts what is committed here; says whether that is news.
    pub(crate) fn note_astray(&self) -> bool {
        !self.astray.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire)
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

    /// What time it is in the group, for its leader; not earlier than what it has applied.
    pub(crate) fn now(&self) -> Timestamp {
        let known = match self.id.shard() {
            Some(shard) => self.context.state.now(shard),
            None => self.context.state.watch_control().borrow().now,
        };
        self.stamp(Some(known))
    }

    fn stamp(&self, known: Option<Timestamp>) -> Timestamp {
        let clocks = &self.context.clocks;
        let stamp = self.stamper.lock().stamp(known.unwrap_or_default(), clocks.source(), clocks.steady());
        clocks.note_leap(stamp.leap);
        stamp.at
    }

    /// Puts a command in line, or says why not. It is carried out at the group's time, whatever it says.
    pub(crate) fn propose(&self, mut item: Item, urgency: Urgency) -> Result<Answer, Fault> {
        self.admits()?;
        // What was applied was looked at when the leadership began: whoever proposes need not wait for who applies.
        let has_stamped = self.stamper.lock().has_stamped();
        item.stamp(if has_stamped { self.stamp(None) } else { self.now() });
        let bytes = match &item {
            Item::Shard(command) => codec::encoded_len(command),
            Item::Control(command) => codec::encoded_len(command),
        };
        let bytes = bytes
            .map_err(|error| Fault::Store(octopussy_core::ports::ProposeError::Store(error.to_string().into())))?;
        // What is longer could not be forwarded or replicated in one frame.
        if bytes > MAX_COMMAND_BYTES {
            return Err(Fault::TooLarge(bytes));
        }
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
