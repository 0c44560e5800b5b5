//! Answers for the shards that this node leads.

use super::listing;
use super::wire::{Part, Rejection, Reply, Request};
use crate::groups::{Core, Fault, Item, LeaderWord, Outcome};
use crate::raft::GroupId;
use crate::raft::machine::ReplicaDigest;
use crate::{routing, work};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{ProposeError, Room};
use octopussy_core::task::{Applied, Command};
use std::sync::Arc;
use std::time::Duration;

/// Puts a command in line when this node leads the shard, before the future is polled.
pub(super) fn propose(
    core: &Core,
    shard: ShardId,
    command: Command,
) -> Result<BoxFuture<'static, Result<Applied, Rejection>>, Rejection> {
    let group = core.group(shard).ok_or(Rejection::NotLeader(None))?;
    let urgency = routing::urgency(&command);
    if brings_content(&command) && core.leads(shard) {
        has_room(core)?;
    }
    let rejected = move |fault| rejection(fault, shard);
    let answer = group.propose(Item::Shard(command), urgency).map_err(rejected)?;
    let answer = async move {
        match answer.await {
            Ok(Ok(Outcome::Shard(applied))) => applied.map_err(|refusal| Rejection::Failed(refusal.into())),
            Ok(Err(fault)) => Err(rejected(fault)),
            // A group that ends without an answer has stopped; what it had is in its log or not.
            Ok(Ok(Outcome::Control(_))) | Err(_) => Err(rejected(Fault::Uncertain)),
        }
    };
    Ok(answer.boxed())
}

/// Whether the command brings content that is kept until its task has ended.
const fn brings_content(command: &Command) -> bool {
    matches!(command, Command::Accept { .. } | Command::Replay { .. })
}

/// Whether this node may be given more work. Asked before anything is proposed, by the leader alone: what is committed is
/// applied everywhere, whatever room is left there.
fn has_room(core: &Core) -> Result<(), Rejection> {
    const MIB: u64 = 1024 * 1024;
    let unended = core.context.unended();
    for (of, (used, limit)) in [(Room::Memory, unended.memory), (Room::Disk, unended.disk)] {
        if used >= limit {
            return Err(Rejection::Failed(ProposeError::Full { of, used_mib: used / MIB, limit_mib: limit / MIB }));
        }
    }
    Ok(())
}

/// The same for a command that another node forwards.
pub(super) fn propose_forwarded(
    core: &Core,
    shard: ShardId,
    command: Command,
) -> BoxFuture<'static, Result<Reply, Rejection>> {
    if !routing::belongs(&command, shard, core.shards()) {
        return ready(Err(Rejection::Failed(ProposeError::NotLeader(shard)))).boxed();
    }
    match propose(core, shard, command) {
        Ok(answer) => answer.map(|answer| answer.map(Reply::Applied)).boxed(),
        Err(rejection) => ready(Err(rejection)).boxed(),
    }
}

fn rejection(fault: Fault, shard: ShardId) -> Rejection {
    match fault {
        Fault::NotLeader(leader) => Rejection::NotLeader(leader),
        Fault::Fenced => Rejection::NotLeader(None),
        Fault::Uncertain | Fault::Busy | Fault::Store(_) | Fault::Stopping | Fault::TooLarge(_) => {
            Rejection::Failed(fault.of_shard(shard))
        }
    }
}

/// Answers a request about shards this node leads.
pub(super) async fn answer(core: &Arc<Core>, request: Request) -> Result<Reply, Rejection> {
    let state = &core.context.state;
    let failed = Rejection::Failed;
    match request {
        Request::Propose(shard, command) => propose_forwarded(core, shard, command).await,
        Request::Task(id) => {
            led(core, core.shards().shard_of_task(id))?;
            let task = match state.task_in_memory(id) {
                Some(task) => Ok(task),
                None => core.context.read(move |state| state.task(id)).await,
            };
            task.map(Reply::Task).map_err(failed)
        }
        Request::Agent(id) => {
            led(core, core.shards().shard_of(id))?;
            let agent = match state.agent_in_memory(id) {
                Some(agent) => Ok(agent),
                None => core.context.read(move |state| state.agent(id)).await,
            };
            agent.map(Reply::Agent).map_err(failed)
        }
        Request::Waiting(id) => {
            led(core, core.shards().shard_of(id))?;
            Ok(Reply::Count(state.waiting(id) as u64))
        }
        Request::Tasks(shards, query) => {
            let (here, elsewhere) = split(core, shards);
            let page = core.context.read(move |state| state.tasks(&here, &query)).await.map_err(failed)?;
            Ok(Reply::Tasks(Part { answer: listing::fitting(page), elsewhere }))
        }
        Request::Agents(shards, query) => {
            let (here, elsewhere) = split(core, shards);
            let page = core.context.read(move |state| state.agents(&here, &query)).await.map_err(failed)?;
            Ok(Reply::Agents(Part { answer: listing::fitting(page), elsewhere }))
        }
        Request::DeadLetters(shards) => {
            let (here, elsewhere) = split(core, shards);
            Ok(Reply::DeadLetters(Part { answer: state.dead_letters(&here), elsewhere }))
        }
        Request::AwaitEnd(id, limit) => await_end(core, id, limit).await,
        Request::Word(group) => word(core, GroupId(group)).map(Reply::Word),
        Request::Digests => digests(core).await.map(Reply::Digests).map_err(failed),
    }
}

/// Who belongs to a group that this node leads; nothing while that changes.
pub(super) fn word(core: &Core, group: GroupId) -> Result<Option<LeaderWord>, Rejection> {
    match core.registry.get(group) {
        Some(led) if led.speaks() => Ok(led.word()),
        Some(_) | None => Err(Rejection::NotLeader(core.leader(group).filter(|leader| *leader != core.me()))),
    }
}

/// The digests of all replicas here, of what they have applied up to now.
pub(super) async fn digests(core: &Core) -> Result<Vec<ReplicaDigest>, ProposeError> {
    // Each reads everything that is stored.
    let Ok(_turn) = core.context.digesting.acquire().await else { return Err(ProposeError::Stopping) };
    let (groups, state) = (core.registry.ids(), Arc::clone(&core.context.state));
    state.flush().await.map_err(|_| ProposeError::Stopping)?;
    let digests = work::blocking(move || {
        let digests = groups.into_iter().filter_map(|group| state.digest(group).transpose());
        digests.collect::<Result<Vec<_>, _>>().map_err(|error| ProposeError::Store(error.0))
    });
    digests.await.unwrap_or(Err(ProposeError::Stopping))
}

async fn await_end(core: &Core, id: octopussy_core::ids::TaskId, limit: Duration) -> Result<Reply, Rejection> {
    let shard = core.shards().shard_of_task(id);
    led(core, shard)?;
    if core.context.state.task_in_memory(id).is_none() {
        // It ended a while ago, or there is none.
        let task = core.context.read(move |state| state.task(id)).await.map_err(Rejection::Failed)?;
        if task.as_ref().is_none_or(|task| task.state.is_ended()) {
            return Ok(Reply::Task(task));
        }
    }
    match core.context.state.await_end(id, limit).await {
        Ok(task) => Ok(Reply::Task(task)),
        Err(ProposeError::NotLeader(_)) => Err(Rejection::NotLeader(core.leader(GroupId::of(shard)))),
        Err(error) => Err(Rejection::Failed(error)),
    }
}

/// Refuses with the leader, if known, what this node does not lead.
fn led(core: &Core, shard: ShardId) -> Result<(), Rejection> {
    if core.leads(shard) { Ok(()) } else { Err(Rejection::NotLeader(other(core, shard))) }
}

/// The leader of a shard that this node does not lead, as far as it knows.
fn other(core: &Core, shard: ShardId) -> Option<NodeId> {
    core.leader(GroupId::of(shard)).filter(|leader| *leader != core.me())
}

type Elsewhere = Vec<(ShardId, Option<NodeId>)>;

fn split(core: &Core, shards: Vec<ShardId>) -> (Vec<ShardId>, Elsewhere) {
    let (here, elsewhere): (Vec<_>, Vec<_>) = shards.into_iter().partition(|shard| core.leads(*shard));
    (here, elsewhere.into_iter().map(|shard| (shard, other(core, shard))).collect())
}
