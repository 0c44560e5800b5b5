//! What the leader of the control group does: for its group, and for the cluster.

use crate::group::{Goal, Led};
use crate::plan::plan;
use crate::voters::control_voters;
use crate::{Action, Situation};
use octopussy_control::{ControlCommand, ControlState, MemberRecord};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::MemberDesired;

/// The next step for the control group, which is led here.
pub(crate) fn tend_control(led: &Led<'_>) -> Option<Action> {
    let voters = control_voters(led.census, led.voters, led.me, led.limits);
    let learners = led.census.control.members.values().filter(|member| !voters.contains(&member.id));
    let learners = learners.filter(|member| !has_nothing_left(led.census.control, member)).map(|member| member.id);
    let goal = Goal { learners: learners.collect(), voters: voters.into_iter().collect() };
    if led.view.membership.configs.len() > 1 {
        return led.finish(&goal);
    }
    if let Some(expelled) = led.expel() {
        return Some(expelled);
    }
    if !led.census.is_wanted(led.me)
        && let Some(heir) = goal.voters.iter().chain(led.voters).copied().find(|node| led.may_lead(*node))
    {
        return led.transfer(heir, led.limits.drain_pause);
    }
    // A node that has just joined hears of the cluster through this group: nobody waits for it to be seen alive first.
    led.converge(&goal, |node| led.census.may_answer(node))
}

/// What is to be proposed for the cluster: moves, farewells, and now and then the time.
pub(crate) fn govern(led: &Led<'_>, situation: &Situation<'_>) -> Vec<Action> {
    let control = situation.control;
    if control.cluster.is_none() {
        return Vec::new();
    }
    let mut proposals = Vec::new();
    let moves = plan(led.census, led.limits);
    if !moves.is_empty() {
        proposals.push(ControlCommand::Plan { table_version: control.table_version, moves });
    }
    let now = situation.now;
    let left = control.members.values().filter(|member| has_nothing_left(control, member));
    let left = left.filter(|member| !is_in_group(led, member.id));
    proposals.extend(left.map(|member| ControlCommand::Remove { node: member.id, now }));
    if control.wants_tick(now) {
        proposals.push(ControlCommand::Tick { now });
    }
    proposals.into_iter().map(Action::Propose).collect()
}

/// Whether a member is leaving and no shard is, or will be, on it.
fn has_nothing_left(control: &ControlState, member: &MemberRecord) -> bool {
    member.desired == MemberDesired::Leaving && control.replicas_of(member.id) == 0
}

fn is_in_group(led: &Led<'_>, node: NodeId) -> bool {
    let membership = &led.view.membership;
    membership.learners.contains(&node) || membership.configs.iter().any(|voters| voters.contains(&node))
}
