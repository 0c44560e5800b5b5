//! Makes log entries of what is in line before a group, and hands out their answers.

use super::group::{Group, GroupRaft};
use super::line::Load;
use super::proposal::{self, Caller, Fault};
use crate::raft::TypeConfig;
use openraft::error::ClientWriteError;
use openraft::impls::ProgressResponder;
use openraft::raft::ClientWriteResult;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How many entries of a group may be unanswered. While an fsync runs or a follower is asked, the next entries are on their
/// way; what comes meanwhile gathers in line and shares an entry.
const IN_FLIGHT: usize = 4;

/// How often entries in flight are looked after: whether they can still be answered.
const LOOK_AFTER: Duration = Duration::from_millis(100);

/// How long those who are in line when the group stops are answered at most.
const FINISH_LIMIT: Duration = Duration::from_secs(1);

/// An entry that was handed to Raft.
struct InFlight {
    written: oneshot::Receiver<ClientWriteResult<TypeConfig>>,
    callers: Vec<Caller>,
}

/// Makes entries of what is in line before one group.
pub(super) struct Batcher {
    group: Arc<Group>,
    flying: VecDeque<InFlight>,
    /// Since when this node has not been the leader, with entries in flight.
    adrift: Option<Instant>,
}

impl Batcher {
    pub(super) fn new(group: Arc<Group>) -> Self {
        Self { group, flying: VecDeque::new(), adrift: None }
    }

    pub(super) async fn run(mut self) {
        let stop = self.group.stopping().clone();
        let mut look = tokio::time::interval(LOOK_AFTER);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.flying.len() < IN_FLIGHT
                && let Some(load) = self.group.line().take()
            {
                self.send(load).await;
                continue;
            }
            let room = self.flying.len() < IN_FLIGHT;
            let Some(first) = self.flying.front_mut() else {
                tokio::select! {
                    biased;
                    () = self.group.line().arrival() => {}
                    () = stop.cancelled() => break,
                }
                continue;
            };
            tokio::select! {
                biased;
                written = &mut first.written => self.answer(written.ok()),
                () = self.group.line().arrival(), if room => {}
                _ = look.tick() => self.look_after(),
                () = stop.cancelled() => break,
            }
        }
        drop(tokio::time::timeout(FINISH_LIMIT, self.finish()).await);
        while let Some(load) = self.group.line().take() {
            proposal::refuse(load.callers, &self.group.farewell());
        }
        self.give_up(&Fault::Uncertain);
    }

    /// Lets nobody in any more, and answers those who are.
    async fn finish(&mut self) {
        self.group.line().close();
        loop {
            if let Err(error) = self.group.context().health() {
                self.give_up(&Fault::Store(error));
                return;
            }
            if self.flying.len() < IN_FLIGHT
                && self.group.leads()
                && let Some(load) = self.group.line().take()
            {
                self.hand_to_raft(load).await;
                continue;
            }
            let Some(first) = self.flying.front_mut() else { return };
            if let Ok(written) = tokio::time::timeout(LOOK_AFTER, &mut first.written).await {
                self.answer(written.ok());
            }
        }
    }

    /// Hands one entry to Raft.
    async fn send(&mut self, load: Load) {
        // Those who are in line when the leadership goes have lost nothing but time.
        if let Err(fault) = self.group.admits() {
            proposal::refuse(load.callers, &fault);
            return;
        }
        self.hand_to_raft(load).await;
    }

    async fn hand_to_raft(&mut self, load: Load) {
        self.group.note_appended(load.bytes);
        let raft: &GroupRaft = self.group.raft();
        let (responder, written) = ProgressResponder::complete_only();
        match raft.client_write_ff(proposal::entry(load.items), Some(responder)).await {
            Ok(()) => self.flying.push_back(InFlight { written, callers: load.callers }),
            Err(fatal) => {
                // Whoever watches the group says so and sees to it. What did not reach the Raft changed nothing.
                tracing::debug!(group = %self.group.id(), %fatal, "the group has ended");
                proposal::refuse(load.callers, &Fault::NotLeader(None));
            }
        }
    }

    /// Answers the callers of the oldest entry.
    fn answer(&mut self, written: Option<ClientWriteResult<TypeConfig>>) {
        let Some(InFlight { callers, .. }) = self.flying.pop_front() else { return };
        if self.flying.is_empty() {
            self.adrift = None;
        }
        match written {
            Some(Ok(response)) => proposal::distribute(response.data, callers),
            Some(Err(ClientWriteError::ForwardToLeader(to))) => {
                proposal::refuse(callers, &Fault::NotLeader(to.leader_id));
            }
            // Anything else may have been appended.
            Some(Err(
                ClientWriteError::LogEntryDiscarded(_)
                | ClientWriteError::ChangeMembershipError(_)
                | ClientWriteError::PreconditionFailed(_),
            ))
            | None => proposal::refuse(callers, &Fault::Uncertain),
        }
    }

    /// Entries that can no longer be expected to be answered are given up.
    fn look_after(&mut self) {
        if let Err(error) = self.group.context().health() {
            self.give_up(&Fault::Store(error));
        } else if self.group.speaks() {
            self.adrift = None;
        } else {
            // A new leader may still commit them, which this node would hear of. It is given the time of an election.
            let since = *self.adrift.get_or_insert_with(Instant::now);
            if since.elapsed() > self.group.context().config.timings.election_max {
                self.give_up(&Fault::Uncertain);
            }
        }
    }

    fn give_up(&mut self, fault: &Fault) {
        for InFlight { callers, .. } in self.flying.drain(..) {
            proposal::refuse(callers, fault);
        }
        self.adrift = None;
    }
}
