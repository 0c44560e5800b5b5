//! Brings groups to where the control state wants them: looks, lets it be decided, and carries out what was decided.

use super::boundary;
use super::core::Core;
use super::group::Group;
use crate::forward::propose_control;
use crate::raft::{GroupId, Replica, TypeConfig};
use octopussy_control::MembershipStamp;
use octopussy_core::ids::NodeId;
use octopussy_core::ports::Asker;
use octopussy_core::time::Timestamp;
use octopussy_placement::{Action, GroupView, Limits, MembershipView, Situation, decide, outstanding};
use openraft::alias::LogIdOf;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::error::{ClientWriteError, RaftError};
use openraft::{ChangeMembers, Instant as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often is looked without a cause.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon after a change is looked again, so that many changes cause one look.
const SETTLE: Duration = Duration::from_millis(100);

/// How many election timeouts a leadership rests before it is given to the preferred leader: a node that has just come back
/// should have shown that it stays, and a new one should not wait long for its share.
const REST_IN_ELECTIONS: u32 = 5;

/// How many election timeouts a follower may not have answered and still count as one that has what it is known to have: an
/// answer may be lost, and metrics are a moment old.
const SILENT_IN_ELECTIONS: u32 = 2;

/// How long one action may take, beside the wait for a step boundary. A change of voters commits two entries on a quorum.
const ACTION_LIMIT: Duration = Duration::from_secs(20);

/// How long a node may take to say which replica it has: one that has just been planned to have one learns of it meanwhile, and
/// one that is to begin anew asks its leader twice.
const INTRODUCTION_LIMIT: Duration = Duration::from_secs(8);

/// How soon it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// How long a leader that hands over is silent before it takes the leadership up again.
pub(super) const HAND_OVER_LIMIT: Duration = Duration::from_secs(2);

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let mut control = core.control.clone();
    let mut look = tokio::time::interval(INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = core.stopping.cancelled() => return,
            _ = look.tick() => {}
            () = core.acted.notified() => tokio::time::sleep(SETTLE).await,
            changed = control.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::time::sleep(SETTLE).await;
            }
        }
        control.borrow_and_update();
        trust_control(&core);
        for action in decide_now(&core) {
            begin(&core, action);
        }
    }
}

/// A replica of the control group that begins anew leaves its readers what they have until it has caught up.
fn trust_control(core: &Core) {
    let Some(control) = core.registry.get(GroupId::CONTROL) else { return };
    let metrics = control.raft().data_metrics();
    let (applied, committed) = {
        let data = metrics.borrow_watched();
        (data.last_applied, data.cluster_committed)
    };
    if control.is_counted() && control.leader().is_some() && committed.is_some() && applied >= committed {
        core.context.state.trust_control();
    }
}

fn decide_now(core: &Core) -> Vec<Action> {
    let views = views(core);
    if !views.iter().any(|view| view.leader == Some(core.me())) {
        return Vec::new();
    }
    with_situation(core, &views, decide)
}

/// How many shards are moving or have yet to, as this node sees the cluster. Looks at once whether there is something to do.
pub(super) fn rebalance(core: &Core) -> usize {
    core.acted.notify_one();
    with_situation(core, &views(core), outstanding)
}

fn with_situation<T>(core: &Core, groups: &[GroupView], look: impl FnOnce(&Situation<'_>) -> T) -> T {
    let config = &core.context.config;
    let transfer_pause = config.timings.election_max * REST_IN_ELECTIONS;
    let limits = Limits { grace: config.replace_after, transfer_pause, ..Limits::default() };
    look(&Situation {
        control: &core.control(),
        me: core.me(),
        groups,
        reach: core.reach.as_ref(),
        limits: Limits { patience: limits.patience.min(limits.grace), ..limits },
        now: core
            .registry
            .get(GroupId::CONTROL)
            .filter(|control| control.speaks())
            .map_or(Timestamp::EPOCH, |control| control.now()),
    })
}

/// The groups that have a replica here, as this node sees them.
pub(super) fn views(core: &Core) -> Vec<GroupView> {
    core.registry.all().iter().map(|group| view(core, group)).collect()
}

fn view(core: &Core, group: &Group) -> GroupView {
    let metrics = group.raft().metrics();
    let metrics = metrics.borrow_watched().clone();
    let membership = metrics.membership_config.membership();
    let speaks = group.speaks();
    // A leader that may not speak is no leader: nothing is decided on its word. One that has ended knows of none.
    let known = metrics.current_leader.filter(|_| !group.has_ended());
    let leader = known.filter(|leader| *leader != core.me() || speaks);
    // A follower that does not answer has not caught up, whatever its log: its disk may be full, its process stand still.
    let silence = core.context.config.timings.election_max * SILENT_IN_ELECTIONS;
    let heard = metrics.heartbeat.iter().flatten();
    let heard: BTreeSet<NodeId> =
        heard.filter(|(_, at)| at.as_ref().is_some_and(|at| at.elapsed() < silence)).map(|(node, _)| *node).collect();
    let lost = membership.nodes().filter(|(node, replica)| {
        **node != core.me() && group.followers().is_lost(**node, replica.incarnation, &metrics.vote)
    });
    let lost: BTreeSet<NodeId> = lost.map(|(node, _)| *node).collect();
    let has = |node: &NodeId| heard.contains(node) && !lost.contains(node);
    // Nor is one to lead whose clock is wrong.
    let fit = |node: &NodeId| has(node) && !core.context.clocks.is_skewed(*node);
    let matched = metrics.replication.iter().flatten().filter(|(node, _)| fit(node));
    let matched = matched.map(|(node, matched)| (*node, matched.map_or(0, |id| id.index)));
    GroupView {
        group: of(group.id()),
        leader,
        membership: MembershipView {
            configs: membership.get_joint_config().clone(),
            learners: membership.learner_ids().collect(),
            committed: metrics.membership_config.log_id() == metrics.committed_membership_config.log_id(),
            at: metrics.membership_config.log_id().map(stamp).unwrap_or_default(),
        },
        last_index: metrics.last_log_index.unwrap_or_default(),
        matched: matched.collect::<BTreeMap<_, _>>(),
        lost,
        rested: group.rested().filter(|_| speaks),
        busy: group.is_busy(),
    }
}

fn stamp(id: LogIdOf<TypeConfig>) -> MembershipStamp {
    MembershipStamp { term: id.leader_id.term, index: id.index }
}

fn of(id: GroupId) -> octopussy_placement::Group {
    id.shard().map_or(octopussy_placement::Group::Control, octopussy_placement::Group::Shard)
}

fn id_of(group: octopussy_placement::Group) -> GroupId {
    match group {
        octopussy_placement::Group::Control => GroupId::CONTROL,
        octopussy_placement::Group::Shard(shard) => GroupId::of(shard),
    }
}

/// Carries out an action beside the loop. One at a time keeps a group busy.
fn begin(core: &Arc<Core>, action: Action) {
    let Some(group) = core.registry.get(id_of(action.group())) else { return };
    if !group.claim() {
        return;
    }
    tracing::info!(?action, "a group is moved on");
    let core = Arc::clone(core);
    core.clone().tasks.spawn(async move {
        let act = act(&core, &group, &action);
        tokio::select! {
            biased;
            done = tokio::time::timeout(limit_of(&core, &action), act) => match done {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => tracing::warn!(?action, %reason, "the group was not moved on"),
                Err(_) => tracing::warn!(?action, "the group was not moved on in time"),
            },
            () = core.stopping.cancelled() => {}
        }
        group.release();
        core.acted.notify_one();
    });
}

async fn act(core: &Arc<Core>, group: &Arc<Group>, action: &Action) -> Result<(), String> {
    match action {
        Action::Propose(command) => {
            propose_control(core, Asker::Node, command.clone()).await.map(drop).map_err(|error| error.to_string())
        }
        Action::AddLearner { node, .. } => {
            let replica = introduced(core, group, *node).await?;
            written(group.raft().add_learner(*node, replica, false).await.map(drop))
        }
        Action::SetMembers { voters, learners, .. } => set_members(group, voters, learners).await,
        Action::Transfer { to, .. } => boundary::hand_over(core, group, *to, || wanted_leader(core, group)).await,
    }
}

fn limit_of(core: &Core, action: &Action) -> Duration {
    match action {
        Action::Transfer { .. } => core.context.config.transfer_patience + ACTION_LIMIT,
        Action::Propose(_) | Action::AddLearner { .. } | Action::SetMembers { .. } => ACTION_LIMIT,
    }
}

/// To whom the leadership of a group would be given that is being given away, if that were decided now.
fn wanted_leader(core: &Core, group: &Group) -> Option<NodeId> {
    let view = GroupView { busy: false, ..view(core, group) };
    with_situation(core, &[view], decide).into_iter().find_map(|action| match action {
        Action::Transfer { to, .. } => Some(to),
        Action::Propose(_) | Action::AddLearner { .. } | Action::SetMembers { .. } => None,
    })
}

/// The replica that a node has, to let it in with. One that is known to have lost what it had is to begin anew first.
async fn introduced(core: &Core, group: &Group, node: NodeId) -> Result<Replica, String> {
    let wires = &core.context.wires;
    let end = tokio::time::Instant::now() + INTRODUCTION_LIMIT;
    loop {
        let vote = group.raft().server_metrics().borrow_watched().vote;
        let answer = wires.introduce(node, group.id()).await;
        let why = match answer {
            Ok(incarnation) if !group.followers().is_lost(node, incarnation, &vote) => {
                return Ok(Replica { incarnation });
            }
            Ok(incarnation) => match wires.renew(node, group.id(), incarnation).await {
                Ok(_) => "its replica is not deleted yet".to_owned(),
                Err(why) => why,
            },
            Err(why) => why,
        };
        if tokio::time::Instant::now() >= end {
            return Err(format!("node {node} has not said which replica it has: {why}"));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

type Written = Result<(), RaftError<crate::raft::TypeConfig, ClientWriteError<crate::raft::TypeConfig>>>;

fn written(result: Written) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

/// Brings a group to exactly these members.
async fn set_members(group: &Group, voters: &BTreeSet<NodeId>, learners: &BTreeSet<NodeId>) -> Result<(), String> {
    let raft = group.raft();
    let membership = raft.metrics().borrow_watched().membership_config.clone();
    let joint = membership.membership().get_joint_config().clone();
    // Those that are dropped from the voters stay as learners for a moment, and only those not named go at last.
    if joint.len() > 1 || joint.first() != Some(voters) {
        let change = ChangeMembers::ReplaceAllVoters(voters.clone());
        written(raft.change_membership(change, true).await.map(drop))?;
    }
    let members = raft.metrics().borrow_watched().membership_config.clone();
    let keep = |node: &NodeId| voters.contains(node) || learners.contains(node);
    let gone: BTreeSet<NodeId> = members.nodes().map(|(node, _)| *node).filter(|node| !keep(node)).collect();
    if !gone.is_empty() {
        written(raft.change_membership(ChangeMembers::RemoveNodes(gone), false).await.map(drop))?;
    }
    Ok(())
}
