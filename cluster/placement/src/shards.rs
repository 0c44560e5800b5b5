//! What the leader of a shard does for it.

use crate::Action;
use crate::group::{Goal, Led};
use octopussy_control::{ControlCommand, ReplicaSet, ShardPlace};
use octopussy_core::ids::{NodeId, ShardId};
use std::collections::BTreeSet;

/// The next step for a shard that is led here. In this order: what was left half done is finished, replicas that have lost what
/// they had are sent away, leadership leaves a
/// draining node, a move that is done is reported, the preferred leader gets its turn, and the group comes closer to where
/// the table wants it.
pub(crate) fn tend_shard(led: &Led<'_>, shard: ShardId) -> Option<Action> {
    let place = led.census.control.place(shard)?;
    let want = place.target.as_ref().unwrap_or(&place.current);
    let goal = Goal { voters: want.voters.clone(), learners: want.learners.iter().copied().collect() };
    if led.view.membership.configs.len() > 1 {
        return led.finish(&goal);
    }
    if let Some(expelled) = led.expel() {
        return Some(expelled);
    }
    if !led.census.is_wanted(led.me)
        && let Some(heir) = heir(led, &goal)
    {
        return led.transfer(heir, led.limits.drain_pause);
    }
    if led.has_reached(&goal) {
        if place.target.is_some() || !place.former.is_empty() {
            return Some(settle(led, place, shard, want.clone()));
        }
        let preferred = want.voters.first().copied().filter(|node| led.may_lead(*node))?;
        return led.transfer(preferred, led.limits.transfer_pause);
    }
    if let Some(elsewhere) = elsewhere(led, place, &goal) {
        return Some(settle(led, place, shard, elsewhere));
    }
    led.converge(&goal, |node| led.census.answers(node))
}

/// Who takes the leadership over from a node that is to lead nothing: by preference somebody who keeps a vote.
fn heir(led: &Led<'_>, goal: &Goal) -> Option<NodeId> {
    goal.voters.iter().chain(led.voters).copied().find(|node| led.may_lead(*node))
}

/// Where the group is, when that is neither where the table knows it to be nor where it is to go: an earlier target that was
/// replaced when it had just been reached. The table must know, so that nobody is sent away who has a vote there.
fn elsewhere(led: &Led<'_>, place: &ShardPlace, goal: &Goal) -> Option<ReplicaSet> {
    place.target.as_ref()?;
    let is = |voters: &[NodeId]| voters.iter().copied().collect::<BTreeSet<_>>() == *led.voters;
    if is(&place.current.voters) || is(&goal.voters) {
        return None;
    }
    let turn = |node: &NodeId| place.current.nodes().position(|known| known == *node).unwrap_or(usize::MAX);
    let mut voters: Vec<_> = led.voters.iter().copied().collect();
    voters.sort_by_key(turn);
    let actual = ReplicaSet { voters, learners: led.view.membership.learners.iter().copied().collect() };
    led.census.control.check_place(&actual).is_ok().then_some(actual)
}

fn settle(led: &Led<'_>, known: &ShardPlace, shard: ShardId, place: ReplicaSet) -> Action {
    Action::Propose(ControlCommand::Settle { shard, place, at: led.view.membership.at, planned: known.planned })
}
