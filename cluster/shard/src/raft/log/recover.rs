//! What is done to a log while no Raft uses it: waiting for it, and making one node its only voter.

use super::super::replica::Replica;
use super::super::types::{GroupId, TypeConfig};
use super::error::closed;
use super::group::Group;
use super::group_log::{encode, put};
use super::job::{Done, Job, Sweep};
use super::keys::{self, Record};
use super::shared::Shared;
use super::window::footprint;
use super::{Entry, LogId, Vote};
use octopussy_core::ids::NodeId;
use octopussy_store::{Keyspace, Operation};
use openraft::Membership;
use openraft::alias::LeaderIdOf;
use openraft::entry::RaftEntry;
use openraft::vote::RaftLeaderId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Waits until everything that is in line for a group is on the disk.
pub(super) async fn settle(shared: &Arc<Shared>, id: GroupId) -> io::Result<()> {
    let place = shared.line.place(0).await?;
    let (told, done) = oneshot::channel();
    let mut job = Job::new(shared.group(id), place);
    job.urgent = true;
    job.done = Done::Caller(told);
    shared.line.push([job])?;
    done.await.map_err(|_| closed())
}

/// Appends the entry that makes `node` the only voter, and saves a vote that is above every known one.
pub(super) async fn force_sole_voter(
    shared: &Arc<Shared>,
    id: GroupId,
    node: NodeId,
    applied: Option<LogId>,
) -> io::Result<LogId> {
    let group = shared.group(id);
    // Generous for a vote, two ids and an entry with one member.
    let place = shared.line.place(1024).await?;
    let (told, done) = oneshot::channel();
    let mut job = Job::new(Arc::clone(&group), place);
    job.urgent = true;
    job.done = Done::Caller(told);
    let forced = push_forced(shared, &group, node, applied, job)?;
    done.await.map_err(|_| closed())?;
    Ok(forced)
}

fn push_forced(
    shared: &Shared,
    group: &Group,
    node: NodeId,
    applied: Option<LogId>,
    mut job: Job,
) -> io::Result<LogId> {
    let id = group.id;
    let mut state = group.state.lock();
    let ahead = applied.filter(|applied| state.last.is_none_or(|last| last.index < applied.index));
    if let Some(applied) = ahead {
        // The state has more than the log: the log goes on from there, as openraft itself would have it.
        job.writes.push(put(Record::Purged, id, encode(&applied)?));
        job.sweep = state.sweepable(applied).map(|(first, last)| Sweep { group: id, first, last });
    }
    let last = ahead.or(state.last);
    let term = state
        .vote
        .map_or(0, |vote| vote.leader_id.term)
        .max(last.map_or(0, |last| last.leader_id.term))
        .max(state.committed.map_or(0, |committed| committed.leader_id.term))
        .max(applied.map_or(0, |applied| applied.leader_id.term))
        + 1;
    let replica = Replica { incarnation: state.life.map(|life| life.incarnation).unwrap_or_default() };
    let leader = LeaderIdOf::<TypeConfig>::new(term, node).to_committed();
    let forced = LogId::new(leader, last.map_or(state.first, |last| last.index + 1));
    let entry = Entry::new_membership(forced, sole_voter(node, replica)?);
    // One term above the entry's, and not won yet: the node has to be elected, which it can be by itself.
    let vote = Vote::new(term + 1, node);
    let encoded = encode(&entry)?;
    let bytes = footprint(&entry, encoded.len());
    job.writes.push((Keyspace::Log, Operation::Put(keys::entry(id, forced.index), encoded)));
    job.writes.push(put(Record::Vote, id, encode(&vote)?));
    job.writes.push(put(Record::Committed, id, encode(&forced)?));
    job.appended = bytes;
    let number = shared.line.push([job])?;
    if let Some(applied) = ahead {
        state.purge(applied);
    }
    state.append(Arc::new(entry), bytes, number);
    state.vote = Some(vote);
    state.committed = Some(forced);
    // Noted again, so that an older note that is still in line does not overwrite it.
    shared.line.note_committed(id, Some(forced));
    Ok(forced)
}

fn sole_voter(node: NodeId, replica: Replica) -> io::Result<Membership<NodeId, Replica>> {
    let nodes = BTreeMap::from([(node, replica)]);
    Membership::new(vec![BTreeSet::from([node])], nodes).map_err(io::Error::other)
}
