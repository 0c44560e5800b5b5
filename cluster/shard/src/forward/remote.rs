//! Requests on their way to the leader of their group.

use super::local;
use super::patience::Patience;
use super::wire::{self, ControlAnswer, ControlRejection, ControlRequest, Rejection, Reply, Request};
use crate::error::ControlError;
use crate::groups::{Core, Fault, Item, Outcome, Urgency};
use crate::raft::GroupId;
use bytes::Bytes;
use octopussy_control::{AskedBy, ControlApplied, ControlCommand, ControlRefusal, Who};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{Asker, Lane, MAX_FRAME_BYTES, MeshError, MeshPort, ProposeError, Reach, RequestKind};
use octopussy_core::task::Command;
use std::sync::Arc;
use std::time::Duration;

/// How long one node is given to answer before another is asked: a leader that has lost its quorum notices sooner.
const ONE_ANSWER: Duration = Duration::from_secs(3);

/// How often it is looked whether a node that has not answered yet is still the one to ask.
const LOOK_FOR_ANOTHER: Duration = Duration::from_millis(25);

/// What came of asking one node.
pub(super) enum Asked<T> {
    /// It answered.
    Answer(T),
    /// It did not carry it out.
    Elsewhere,
    /// It may have carried it out.
    Unknown,
}

/// Whether the command may be given again when it is not known whether it was carried out.
pub(super) const fn is_repeatable(command: &Command) -> bool {
    match command {
        Command::Accept { .. }
        | Command::Cancel { .. }
        | Command::SetDesired { .. }
        | Command::Tick { .. }
        | Command::CreateAgent { .. }
        | Command::UpdateAgent { .. } => true,
        Command::Activate { .. }
        | Command::Begin { .. }
        | Command::Step { .. }
        | Command::End { .. }
        | Command::Replay { .. }
        | Command::Discard { .. }
        | Command::Forget { .. }
        | Command::RecordUsage { .. }
        | Command::ResetUsage { .. }
        | Command::DeleteAgent { .. }
        | Command::ForgetDead { .. } => false,
    }
}

/// Whether a command of the control group may be given again when it is not known whether it was carried out: a second
/// time it changes nothing.
const fn is_repeatable_control(command: &ControlCommand) -> bool {
    match command {
        ControlCommand::AddToken { .. }
        | ControlCommand::Join { .. }
        | ControlCommand::Report { .. }
        | ControlCommand::SetDesired { .. }
        | ControlCommand::PutSecret { .. }
        | ControlCommand::OfferKey { .. }
        | ControlCommand::KnowKey { .. }
        | ControlCommand::EndKeyOverlap { .. }
        | ControlCommand::Stolen { .. }
        | ControlCommand::AddApiToken { .. }
        | ControlCommand::RevokeApiToken { .. }
        | ControlCommand::Tick { .. }
        | ControlCommand::Start { .. } => true,
        ControlCommand::Found { .. }
        | ControlCommand::RevokeToken { .. }
        | ControlCommand::Remove { .. }
        | ControlCommand::Plan { .. }
        | ControlCommand::Settle { .. }
        | ControlCommand::RemoveSecret { .. }
        | ControlCommand::ActivateKey { .. }
        | ControlCommand::Recover { .. } => false,
    }
}

/// Brings a request to the leader of `shard`, this node or another, and its answer back.
///
/// `repeat`: whether it may be given again when a leader was lost that may have carried it out. `extra`: how much longer
/// than the patience with a missing leader the answer may take.
pub(super) async fn at_leader(
    core: &Arc<Core>,
    shard: ShardId,
    request: Request,
    repeat: bool,
    patience: &mut Patience,
    extra: Duration,
) -> Result<Reply, ProposeError> {
    let group = GroupId::of(shard);
    let mut uncertain = false;
    let mut frame: Option<Bytes> = None;
    loop {
        if core.stopping.is_cancelled() {
            return Err(if uncertain { ProposeError::Uncertain(shard) } else { ProposeError::Stopping });
        }
        let asked = match local::answer(core, request.clone()).await {
            Err(Rejection::NotLeader(leader)) => {
                let encoded = match frame.take() {
                    Some(encoded) => encoded,
                    None => fitting(wire::encode_request(&request).map_err(ProposeError::Store)?)
                        .map_err(ProposeError::too_large)?,
                };
                ask_others(core, group, frame.insert(encoded), leader, patience, extra).await
            }
            answer => Asked::Answer(answer),
        };
        match asked {
            Asked::Answer(Ok(reply)) => return Ok(reply),
            Asked::Answer(Err(Rejection::Failed(ProposeError::Uncertain(_)))) | Asked::Unknown => {
                uncertain = true;
                if !repeat {
                    return Err(ProposeError::Uncertain(shard));
                }
            }
            // A node that stops hands its shards over.
            Asked::Answer(Err(Rejection::Failed(ProposeError::Stopping) | Rejection::NotLeader(_)))
            | Asked::Elsewhere => {}
            Asked::Answer(Err(Rejection::Failed(error))) => return Err(error),
        }
        patience.look(core.is_cut_off(group));
        if patience.is_over() {
            return Err(if uncertain { ProposeError::Uncertain(shard) } else { ProposeError::NoLeader(shard) });
        }
        patience.pause().await;
    }
}

/// A request that fits into a frame; otherwise how long it is. Its leader would refuse it as well.
fn fitting(frame: Bytes) -> Result<Bytes, usize> {
    if frame.len() > MAX_FRAME_BYTES { Err(frame.len()) } else { Ok(frame) }
}

/// Asks the nodes that may lead the group, one after the other, following what they say.
pub(super) async fn ask_others(
    core: &Core,
    group: GroupId,
    frame: &Bytes,
    told: Option<NodeId>,
    patience: &mut Patience,
    extra: Duration,
) -> Asked<Result<Reply, Rejection>> {
    let mut line: Vec<NodeId> = core.candidates(group);
    line.reverse();
    line.extend(told);
    let mut asked = std::collections::HashSet::from([core.me()]);
    while let Some(node) = line.pop() {
        if !asked.insert(node) {
            continue;
        }
        match ask(core, group, node, Lane::Forward, frame, patience, extra).await {
            Asked::Answer(answer) => match answer {
                Err(Rejection::NotLeader(leader)) => {
                    core.hints.drop(group, node);
                    line.extend(leader);
                }
                answer => {
                    core.hints.set(group, node);
                    return Asked::Answer(answer);
                }
            },
            Asked::Elsewhere => core.hints.drop(group, node),
            Asked::Unknown => {
                core.hints.drop(group, node);
                return Asked::Unknown;
            }
        }
        if patience.is_over() {
            break;
        }
    }
    Asked::Elsewhere
}

/// Asks one node about a group. Gives up on it as soon as it is known that another node leads the group, that it is down (a node
/// that has lost its power does not close its connections), or that this node is cut off from the group's majority.
async fn ask<T: serde::de::DeserializeOwned>(
    core: &Core,
    group: GroupId,
    node: NodeId,
    lane: Lane,
    frame: &Bytes,
    patience: &mut Patience,
    extra: Duration,
) -> Asked<T> {
    let within = patience.left().min(ONE_ANSWER) + extra;
    let call = core.mesh.call(node, lane, frame.clone(), within);
    tokio::pin!(call);
    let replaced = async {
        loop {
            tokio::time::sleep(LOOK_FOR_ANOTHER).await;
            patience.look(core.is_cut_off(group));
            let replaced = core.leader_here(group).is_some_and(|leader| leader != node);
            // Whoever waits for the end of a task has its own time for it beside the patience with a missing leader.
            let over = extra.is_zero() && patience.is_over();
            if replaced || over || core.reach.reach(node) == Reach::Down {
                return;
            }
        }
    };
    let answer = tokio::select! {
        biased;
        answer = &mut call => answer,
        () = replaced => return Asked::Unknown,
    };
    match answer {
        Ok(answer) => match wire::decode(&answer) {
            Ok(answer) => Asked::Answer(answer),
            Err(reason) => {
                tracing::warn!(%node, %reason, "an answer cannot be read");
                Asked::Unknown
            }
        },
        Err(
            MeshError::NotConnected(_)
            | MeshError::Congested(_)
            | MeshError::TooLarge { .. }
            | MeshError::Refused { .. }
            | MeshError::Stopping,
        ) => Asked::Elsewhere,
        Err(MeshError::Timeout(_) | MeshError::Lost(_) | MeshError::Unanswered { .. }) => Asked::Unknown,
    }
}

/// Asks one node about shards that it is thought to lead.
pub(super) async fn ask_about_shards(
    core: &Core,
    one_of_them: ShardId,
    node: NodeId,
    request: &Request,
    patience: &Patience,
) -> Option<Result<Reply, Rejection>> {
    let frame = wire::encode_request(request).ok()?;
    let group = GroupId::of(one_of_them);
    // Several nodes are asked at once, each with the same patience.
    match ask(core, group, node, Lane::Forward, &frame, &mut patience.clone(), Duration::ZERO).await {
        Asked::Answer(answer) => Some(answer),
        Asked::Elsewhere | Asked::Unknown => None,
    }
}

/// Commits a command of the control group, here or at another node. One that may be given again is, when its leader is
/// lost, as long as the patience lasts.
pub(crate) async fn propose_control(
    core: &Arc<Core>,
    asker: Asker,
    command: ControlCommand,
) -> Result<ControlApplied, ControlError> {
    let mut patience = Patience::new(core.context.config.patience);
    let request = ControlRequest::Propose(asker.clone(), command.clone());
    let frame = wire::encode_request(&request).map_err(ControlError::Store)?;
    let frame = fitting(frame).map_err(ControlError::too_large)?;
    let asked_by = AskedBy { node: core.me(), asker };
    let mut uncertain = false;
    // What only the leader decides is decided anew by the next one.
    let is_leaders_own = command.request_kind() == RequestKind::ControlLeaderCommand;
    loop {
        if core.stopping.is_cancelled() {
            return Err(if uncertain { ControlError::Uncertain } else { ControlError::Stopping });
        }
        let asked = match control_here(core, asked_by.clone(), command.clone()).await {
            // Without a leader it may be this node in a moment, as when it has just begun alone.
            Err(ControlRejection::NotLeader(None)) if is_leaders_own => Asked::Elsewhere,
            Err(ControlRejection::NotLeader(Some(_))) if is_leaders_own => {
                return Err(if uncertain { ControlError::Uncertain } else { ControlError::NoLeader });
            }
            Err(ControlRejection::NotLeader(leader)) => ask_control(core, &frame, leader, &mut patience).await,
            answer => Asked::Answer(answer),
        };
        match asked {
            Asked::Answer(Ok(applied)) => return Ok(applied),
            Asked::Answer(Err(ControlRejection::Failed(ControlError::Uncertain))) | Asked::Unknown => {
                uncertain = true;
                if !is_repeatable_control(&command) {
                    return Err(ControlError::Uncertain);
                }
            }
            Asked::Answer(Err(ControlRejection::Failed(ControlError::Stopping) | ControlRejection::NotLeader(_)))
            | Asked::Elsewhere => {}
            // That nothing has changed is true of the second time only.
            Asked::Answer(Err(ControlRejection::Failed(ControlError::Refused(_) | ControlError::Busy)))
                if uncertain =>
            {
                return Err(ControlError::Uncertain);
            }
            Asked::Answer(Err(ControlRejection::Failed(error))) => return Err(error),
        }
        patience.look(core.is_cut_off(GroupId::CONTROL));
        if patience.is_over() {
            return Err(if uncertain { ControlError::Uncertain } else { ControlError::NoLeader });
        }
        patience.pause().await;
    }
}

/// What a node is, as another node knows it.
pub(crate) async fn ask_standing(mesh: &dyn MeshPort, asked: NodeId, about: NodeId, within: Duration) -> Option<Who> {
    let frame = wire::encode_request(&ControlRequest::Standing(about)).ok()?;
    let answer = mesh.call(asked, Lane::Control, frame, within).await.ok()?;
    wire::decode(&answer).ok()
}

/// What whoever asks hears who may not have that done.
pub(super) fn not_allowed(asker: &Asker) -> ControlAnswer {
    let name = asker.name().unwrap_or("a node by itself").to_owned();
    Err(ControlRejection::Failed(ControlError::Refused(ControlRefusal::NotAllowed(name))))
}

/// Commits a command of the control group when this node leads it, and whoever asks may have that done.
pub(super) async fn control_here(core: &Core, asked_by: AskedBy, mut command: ControlCommand) -> ControlAnswer {
    if !command.may_be_asked_by(&asked_by.asker) {
        return not_allowed(&asked_by.asker);
    }
    command.set_asked_by(asked_by);
    let group = core.registry.get(GroupId::CONTROL).ok_or(ControlRejection::NotLeader(None))?;
    let rejected = |fault: Fault| match fault {
        Fault::NotLeader(leader) => ControlRejection::NotLeader(leader),
        Fault::Fenced => ControlRejection::NotLeader(None),
        Fault::Uncertain | Fault::Busy | Fault::Store(_) | Fault::Stopping | Fault::TooLarge(_) => {
            ControlRejection::Failed(fault.of_control())
        }
    };
    let answer = group.propose(Item::Control(command), Urgency::NewWork).map_err(rejected)?;
    match answer.await {
        Ok(Ok(Outcome::Control(applied))) => {
            applied.map_err(|refusal| ControlRejection::Failed(ControlError::Refused(refusal)))
        }
        Ok(Err(fault)) => Err(rejected(fault)),
        Ok(Ok(Outcome::Shard(_))) | Err(_) => Err(rejected(Fault::Uncertain)),
    }
}

async fn ask_control(
    core: &Core,
    frame: &Bytes,
    told: Option<NodeId>,
    patience: &mut Patience,
) -> Asked<ControlAnswer> {
    let group = GroupId::CONTROL;
    let mut line = core.candidates(group);
    line.reverse();
    line.extend(told);
    let mut asked = std::collections::HashSet::from([core.me()]);
    while let Some(node) = line.pop() {
        if !asked.insert(node) {
            continue;
        }
        match ask(core, group, node, Lane::Control, frame, patience, Duration::ZERO).await {
            Asked::Answer(Err(ControlRejection::NotLeader(leader))) => line.extend(leader),
            Asked::Elsewhere => {}
            asked @ (Asked::Answer(_) | Asked::Unknown) => return asked,
        }
        if patience.is_over() {
            break;
        }
    }
    Asked::Elsewhere
}
