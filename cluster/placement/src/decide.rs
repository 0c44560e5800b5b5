//! What is to be done next.

use crate::census::Census;
use crate::control::{govern, tend_control};
use crate::group::Led;
use crate::plan::plan;
use crate::shards::tend_shard;
use crate::{Action, Group, Limits, Situation};

/// What this node is to do next, given what it sees. Empty when everything is where it belongs, or when it is for others
/// to act: only the leader of a group acts for the group, and only the control group's leader plans.
///
/// Nothing is remembered between two decisions, so an action that was lost is simply given again, and deciding again while
/// one is under way does no harm: Raft refuses a second change of a group's members, and the control machine refuses a plan
/// for a table that has changed.
#[must_use]
pub fn decide(situation: &Situation<'_>) -> Vec<Action> {
    let census = Census::take(situation);
    let mut actions = Vec::new();
    for view in situation.groups {
        let Some(led) = Led::of(view, &census, situation.me, &situation.limits) else { continue };
        match view.group {
            Group::Shard(shard) => actions.extend(tend_shard(&led, shard)),
            Group::Control => {
                actions.extend(tend_control(&led));
                actions.extend(govern(&led, situation));
            }
        }
    }
    actions
}

/// How many shards are moving, or would move if there were no bound: what an operator is told who asks for a rebalance.
#[must_use]
pub fn outstanding(situation: &Situation<'_>) -> usize {
    let unbounded = Limits { max_moves: usize::MAX, ..situation.limits };
    let control = situation.control;
    let planned = plan(&Census::take(situation), &unbounded);
    let new = planned.iter().filter(|(shard, _)| control.place(*shard).is_some_and(|place| place.target.is_none()));
    new.count() + control.table.iter().filter(|place| place.target.is_some()).count()
}
