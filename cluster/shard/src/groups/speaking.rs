//! When this node begins and ceases to speak for a group.

use super::elections::{Elections, Since};
use super::group::Group;
use super::leadership::{LeaseEnd, Observed, Turn, Yielded};
use super::proposal::{Answer, Fault, Item};
use super::urgency::Urgency;
use octopussy_core::ids::NodeId;
use octopussy_core::task::Command;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant as _, ServerState};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How soon an activation that failed is tried again.
const ACTIVATE_AGAIN: Duration = Duration::from_millis(100);

impl Group {
    /// Looks whether this node (still) may speak for the group, and acts on it.
    pub(crate) fn review(self: &Arc<Self>) {
        let mut leadership = self.leadership.lock();
        loop {
            let now = Instant::now();
            // Before anything else, so that a suspension after it shows in the lease.
            let (slept, resumed) = self.context.suspension.look();
            let observed = self.observe(now, resumed);
            let turn = leadership.look(observed, now);
            self.lease.set(if leadership.held().is_some() { observed.lease } else { LeaseEnd::Never }, slept);
            match turn {
                Turn::Stay => return,
                Turn::Gain(term) => {
                    tracing::info!(group = %self.id, term, "this node leads the group");
                    self.context.counters.gained();
                    *self.rested.lock() = Some(now);
                    self.activate(term);
                    return;
                }
                Turn::Lose(why) => {
                    self.context.counters.stepped_down(why);
                    tracing::info!(group = %self.id, why = why.name(), "this node does not lead the group any longer");
                    if let Some(shard) = self.id.shard() {
                        self.context.state.lose(shard);
                    }
                    // Another term may follow at once.
                }
            }
        }
    }

    /// Gives the leadership away: this node is silent before another can be elected. Whether somebody took it within
    /// `limit`; if not, this node does not speak in that term again, nor does its Raft take anything in, and without its
    /// heartbeats the others elect somebody.
    pub(crate) async fn hand_over(self: &Arc<Self>, to: NodeId, limit: Duration) -> bool {
        *self.yielded.lock() = Yielded::Any;
        *self.rested.lock() = Some(Instant::now());
        self.review();
        let mut server = self.raft.server_metrics();
        let term = server.borrow_watched().vote.leader_id.term;
        let mut offered = false;
        let gone = async {
            self.raft.trigger().transfer_leader(to).await.ok()?;
            offered = true;
            server.wait_until(|seen| seen.state != ServerState::Leader || seen.vote.leader_id.term != term).await.ok()
        };
        let gone = matches!(tokio::time::timeout(limit, gone).await, Ok(Some(_)));
        *self.yielded.lock() = if offered { Yielded::UpTo(term) } else { Yielded::Nothing };
        self.review();
        gone
    }

    /// What is seen now, of a machine that has resumed from a suspension at `resumed`.
    fn observe(&self, now: Instant, resumed: Option<Instant>) -> Observed {
        let me = self.context.me;
        let server = self.raft.server_metrics().borrow_watched().clone();
        let votes = server.committed_membership_config.voter_ids().any(|voter| voter == me);
        let leads = server.state == ServerState::Leader && votes && !self.stopping.is_cancelled() && !self.has_ended();
        let leads = leads.then_some(server.vote.leader_id.term);
        let memberships = [&server.committed_membership_config, &server.membership_config];
        let lease = if memberships.iter().all(|membership| membership.voter_ids().all(|voter| voter == me)) {
            LeaseEnd::Unbounded
        } else {
            // What was heard before the machine slept, it does not know how long ago.
            let awake = resumed.map(|resumed| resumed.elapsed());
            let acked = self.raft.data_metrics().borrow_watched().last_quorum_acked;
            let acked = acked.filter(|at| awake.is_none_or(|awake| at.elapsed() < awake));
            acked.map_or(LeaseEnd::Never, |at| LeaseEnd::At(now + self.context.lease().saturating_sub(at.elapsed())))
        };
        Observed { leads, lease, yielded: *self.yielded.lock() }
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
                tokio::select! {
                    biased;
                    () = this.stopping.cancelled() => return,
                    () = tokio::time::sleep(ACTIVATE_AGAIN) => {}
                }
                answer = this.propose_activation();
            }
        });
    }

    fn propose_activation(&self) -> Result<Answer, Fault> {
        let Some(shard) = self.id.shard() else { return Err(Fault::Stopping) };
        let max_age = self.context.config.max_recovery_age;
        let leader = self.context.wires.incarnation();
        // Whoever led before and is connected has handed over, or was slow: its process did not end under what it ran.
        let before = self.context.state.leader(shard);
        let gone = before.is_some_and(|before| !self.context.wires.reaches(before));
        let (node, boot, now) = (leader.node, leader.boot, self.now());
        let command = Command::Activate { shard, node, now, max_age, boot, gone };
        self.propose(Item::Shard(command), Urgency::InProgress)
    }

    fn count(&self, elections: &mut Elections) {
        let (term, leader) = {
            let server = self.raft.server_metrics();
            let server = server.borrow_watched();
            (server.vote.leader_id.term, server.current_leader)
        };
        let Since { terms, other_leader } = elections.look(term, leader);
        self.context.counters.elected(terms);
        if other_leader {
            self.context.counters.leader_changed();
        }
    }

    /// Reviews the leadership whenever Raft's state changes, until the group ends.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut server = self.raft.server_metrics();
        let mut elections = Elections::begin(server.borrow_watched().vote.leader_id.term);
        loop {
            self.review();
            self.review_standing();
            self.count(&mut elections);
            tokio::select! {
                biased;
                changed = server.changed() => if changed.is_err() { break },
                // A Raft whose state machine has ended notices it with the next entry only.
                () = self.users.wait() => break,
                () = self.stopping.cancelled() => return,
            }
        }
        if !self.stopping.is_cancelled() {
            self.fall();
        }
    }
}
