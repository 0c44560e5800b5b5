//! What is kept of a replica beyond its deletion.

use super::super::replica::ReplicaIncarnation;
use super::super::types::GroupId;
use super::error::closed;
use super::group::GroupState;
use super::group_log::{encode, put};
use super::job::{Done, Job};
use super::keys::{self, Record};
use super::shared::Shared;
use super::{LogId, Vote};
use octopussy_store::{Keyspace, Operation};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How the record is written today.
pub(super) const SCHEMA: u16 = 1;

/// The small record that says which replica of a group this node has, or had. It outlives the replica: what a node has voted for
/// binds it when it gets the group again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    /// How it is written.
    pub(super) schema: u16,
    /// Which life.
    pub(super) incarnation: ReplicaIncarnation,
    /// Whether it goes on. Otherwise the replica is deleted, and what may be left of its state is to go as well.
    pub(super) lives: bool,
    /// Of a replica that is deleted: its last vote.
    pub(super) vote: Option<Vote>,
    /// Of a replica that is deleted: the last entry it is known to have had.
    pub(super) known: Option<LogId>,
}

/// Begins the life of a replica, unless it lives already and is not restored from an older copy, with the vote of the one before it.
/// The disk is waited for only where a copy is restored, which would be taken for what was there by the next start. Otherwise it
/// has the record before anything that the replica itself writes, and one that is lost makes no difference.
pub(super) async fn begin(shared: &Arc<Shared>, id: GroupId, boot: u64) -> io::Result<ReplicaIncarnation> {
    let group = shared.group(id);
    // Generous for a vote and the record.
    let place = shared.line.place(256).await?;
    let mut job = Job::new(Arc::clone(&group), place);
    let (incarnation, durable) = {
        let mut state = group.state.lock();
        let life = match state.life {
            Some(life) if life.lives && !state.restored => return Ok(life.incarnation),
            Some(life) => Life { incarnation: life.incarnation.next(boot), lives: true, ..life },
            None => Life {
                schema: SCHEMA,
                incarnation: ReplicaIncarnation::first_of(boot),
                lives: true,
                vote: None,
                known: None,
            },
        };
        let vote = state.vote.or(life.vote);
        job.writes.push(put(Record::Life, id, encode(&life)?));
        if let Some(vote) = &vote {
            job.writes.push(put(Record::Vote, id, encode(vote)?));
        }
        let durable = state.restored.then(|| {
            let (told, done) = oneshot::channel();
            job.urgent = true;
            job.done = Done::Caller(told);
            done
        });
        shared.line.push([job])?;
        state.life = Some(life);
        state.restored = false;
        state.vote = vote;
        (life.incarnation, durable)
    };
    if let Some(durable) = durable {
        durable.await.map_err(|_| closed())?;
    }
    Ok(incarnation)
}

/// Deletes everything of a group but what outlives it, in one write.
pub(super) async fn bury(shared: &Arc<Shared>, id: GroupId) -> io::Result<()> {
    let group = shared.group(id);
    let place = shared.line.place(256).await?;
    let (told, done) = oneshot::channel();
    let mut job = Job::new(Arc::clone(&group), place);
    job.writes.push((Keyspace::Log, Operation::DeleteRange(keys::entries(id, 0, u64::MAX))));
    for record in [Record::Vote, Record::Purged, Record::Committed] {
        job.writes.push((Keyspace::Meta, Operation::Delete(record.key(id))));
    }
    job.forgets = true;
    job.urgent = true;
    job.done = Done::Caller(told);
    {
        let mut state = group.state.lock();
        let life = state.tombstone();
        job.writes.push(put(Record::Life, id, encode(&life)?));
        shared.line.push([job])?;
        let truncations = state.truncations + 1;
        *state = GroupState { truncations, life: Some(life), ..GroupState::default() };
    }
    done.await.map_err(|_| closed())
}

/// Begins another life of a replica whose log does not fit its state, in one write: of the log the vote is kept, and it goes on
/// after what the state has applied.
pub(super) async fn renew(shared: &Arc<Shared>, id: GroupId, boot: u64, applied: Option<LogId>) -> io::Result<()> {
    let group = shared.group(id);
    let place = shared.line.place(256).await?;
    let (told, done) = oneshot::channel();
    let mut job = Job::new(Arc::clone(&group), place);
    job.writes.push((Keyspace::Log, Operation::DeleteRange(keys::entries(id, 0, u64::MAX))));
    job.writes.push((Keyspace::Meta, Operation::Delete(Record::Committed.key(id))));
    job.writes.push(match &applied {
        Some(applied) => put(Record::Purged, id, encode(applied)?),
        None => (Keyspace::Meta, Operation::Delete(Record::Purged.key(id))),
    });
    job.forgets = true;
    job.urgent = true;
    job.done = Done::Caller(told);
    {
        let mut state = group.state.lock();
        let buried = state.tombstone();
        let life = Life { incarnation: buried.incarnation.next(boot), lives: true, ..buried };
        job.writes.push(put(Record::Life, id, encode(&life)?));
        shared.line.push([job])?;
        *state = GroupState {
            life: Some(life),
            vote: state.vote,
            purged: applied,
            last: applied,
            first: applied.map_or(0, |applied| applied.index + 1),
            truncations: state.truncations + 1,
            ..GroupState::default()
        };
    }
    done.await.map_err(|_| closed())
}

impl GroupState {
    /// What is to be kept of the replica.
    fn tombstone(&self) -> Life {
        let earlier = self.life.unwrap_or(Life {
            schema: SCHEMA,
            incarnation: ReplicaIncarnation::default(),
            lives: false,
            vote: None,
            known: None,
        });
        Life { lives: false, vote: self.vote.or(earlier.vote), known: self.last.max(earlier.known), ..earlier }
    }
}
