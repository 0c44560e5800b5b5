//! From the present table to the next few moves.

use crate::census::{Census, Standing};
use crate::leaders::{Headship, balance};
use crate::place::{Applicant, Turn, choose};
use crate::{Candidate, Limits};
use octopussy_control::{ReplicaSet, ShardPlace};
use octopussy_core::ids::{NodeId, ShardId};
use std::collections::{BTreeMap, BTreeSet};

/// How urgent a move is; the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    /// Its target can no longer be reached, or need not be: another, or none, takes its place.
    Replan,
    /// A node that holds it is dead, drained or leaving.
    Evacuate,
    /// It has fewer voters or replicas than it should.
    Strengthen,
    /// Another node ranks higher.
    Improve,
    /// Only its preferred leader changes.
    Lead,
}

/// What is to become of a shard.
struct Outlook<'a> {
    shard: ShardId,
    place: &'a ShardPlace,
    want: ReplicaSet,
    /// Nothing about `want` is to be changed: it is a target that stands, or the place of a shard that cannot move now.
    fixed: bool,
}

/// The next moves: new targets for shards whose target is out of reach, then as many new ones as `limits` allow. Empty when
/// every shard is where it belongs or on its way.
pub(crate) fn plan(census: &Census<'_>, limits: &Limits) -> Vec<(ShardId, ReplicaSet)> {
    let replication = census.control.cluster.as_ref().map_or(1, |cluster| cluster.replication);
    let mut outlooks: Vec<_> =
        census.control.shards().map(|(shard, place)| outlook(census, limits, shard, place, replication)).collect();
    let order = lead(census, &mut outlooks);

    let mut moves = Vec::new();
    let mut under_way = 0;
    for (position, outlook) in outlooks.into_iter().enumerate() {
        let Outlook { shard, place, want, fixed: _ } = outlook;
        if let Some(target) = &place.target {
            if *target != want {
                moves.push((Urgency::Replan, 0, shard, want));
            }
            under_way += 1;
        } else if want != place.current {
            let turn = order.iter().position(|moved| *moved == position).unwrap_or(0);
            moves.push((urgency(census, &place.current, &want), turn, shard, want));
        }
    }
    // While one of a shard's nodes is away, what is best for the shard is not known: it is only helped, not improved.
    moves.retain(|(urgency, _, shard, _)| {
        *urgency != Urgency::Improve
            || census.control.place(*shard).is_some_and(|place| all_here(census, &place.current))
    });
    moves.sort_by_key(|(urgency, turn, shard, _)| (*urgency, *turn, *shard));
    let replanned = moves.iter().filter(|(urgency, ..)| *urgency == Urgency::Replan).count();
    moves.truncate(replanned + limits.max_moves.saturating_sub(under_way));
    moves.into_iter().map(|(_, _, shard, want)| (shard, want)).collect()
}

fn all_here(census: &Census<'_>, place: &ReplicaSet) -> bool {
    place.nodes().all(|node| match census.standing(node) {
        Standing::Alive | Standing::Dead | Standing::Unfit => true,
        Standing::Away(_) => false,
    })
}

fn outlook<'a>(
    census: &Census<'_>,
    limits: &Limits,
    shard: ShardId,
    place: &'a ShardPlace,
    replication: u8,
) -> Outlook<'a> {
    let stays = || Outlook { shard, place, want: place.current.clone(), fixed: true };
    if census.is_lost(&place.current) {
        // It can commit no change. A target would only take the turn of a shard that can.
        return stays();
    }
    let stands =
        |node: NodeId| (place.current.names(node) && census.is_wanted(node)) || can_still_come(census, limits, node);
    let desired = || desired(census, shard, &place.current, replication);
    match &place.target {
        Some(target) if target.nodes().all(stands) && !is_strengthened(target, &desired()) => {
            Outlook { shard, place, want: target.clone(), fixed: true }
        }
        None if !census.majority_answers(&place.current.voters) => stays(),
        Some(_) | None => Outlook { shard, place, want: desired(), fixed: false },
    }
}

/// Whether `want` has more voters or more replicas than `place`. A move to fewer is not finished once more can be had, as when a
/// drain is taken back.
fn is_strengthened(place: &ReplicaSet, want: &ReplicaSet) -> bool {
    want.voters.len() > place.voters.len() || want.nodes().count() > place.nodes().count()
}

/// Whether a move that is to bring a replica to `node` can go on waiting for it.
fn can_still_come(census: &Census<'_>, limits: &Limits, node: NodeId) -> bool {
    match census.standing(node) {
        Standing::Alive => true,
        Standing::Away(down) => down < limits.patience,
        Standing::Dead | Standing::Unfit => false,
    }
}

/// Where a shard belongs that is at `current`: nodes that answer, those that are away for a moment if they hold it already,
/// and dead ones that hold it only where nobody can replace them.
fn desired(census: &Census<'_>, shard: ShardId, current: &ReplicaSet, replication: u8) -> ReplicaSet {
    let applicants: Vec<_> = census
        .control
        .members
        .values()
        .filter_map(|member| {
            let (turn, may_vote) = match census.standing(member.id) {
                Standing::Alive => (Turn::Ranked, true),
                Standing::Away(_) if current.names(member.id) => (Turn::Kept, false),
                Standing::Dead if current.names(member.id) => (Turn::LastResort, false),
                Standing::Away(_) | Standing::Dead | Standing::Unfit => return None,
            };
            Some(Applicant { candidate: Candidate::from(member), turn, may_vote })
        })
        .collect();
    if applicants.is_empty() { current.clone() } else { choose(shard, &applicants, replication) }
}

/// Chooses the preferred leaders and puts them first, keeping everybody else's order where nothing changes. Answers with the
/// positions whose preferred leader was moved for balance, in the order of the changes.
fn lead(census: &Census<'_>, outlooks: &mut [Outlook<'_>]) -> Vec<usize> {
    let weights: BTreeMap<_, _> = census.control.members.values().map(|member| (member.id, member.capacity)).collect();
    let mut heads: Vec<_> = outlooks.iter().map(|outlook| headship(census, outlook)).collect();
    let order = balance(&mut heads, &weights);
    for (outlook, headship) in outlooks.iter_mut().zip(heads) {
        if outlook.fixed {
            continue;
        }
        let current = &outlook.place.current;
        // Whoever was there keeps its turn; newcomers follow.
        let turn = |node: &NodeId| {
            (Some(*node) != headship.head, current.nodes().position(|known| known == *node).unwrap_or(usize::MAX))
        };
        outlook.want.voters.sort_by_key(turn);
        outlook.want.learners.sort_by_key(turn);
    }
    order
}

fn headship(census: &Census<'_>, outlook: &Outlook<'_>) -> Headship {
    let first = outlook.want.voters.first().copied();
    if outlook.fixed {
        return Headship { head: first, options: Vec::new() };
    }
    let options: Vec<_> =
        outlook.want.voters.iter().copied().filter(|node| census.standing(*node) == Standing::Alive).collect();
    let kept = outlook.place.current.voters.first().copied().filter(|head| {
        outlook.want.voters.contains(head)
            && match census.standing(*head) {
                Standing::Alive | Standing::Away(_) => true,
                Standing::Dead | Standing::Unfit => options.is_empty(),
            }
    });
    if kept.is_none() && options.is_empty() {
        return Headship { head: first, options };
    }
    Headship { head: kept, options }
}

fn urgency(census: &Census<'_>, current: &ReplicaSet, want: &ReplicaSet) -> Urgency {
    let replaced = |node: NodeId| {
        !want.names(node)
            && match census.standing(node) {
                Standing::Dead | Standing::Unfit => true,
                Standing::Alive | Standing::Away(_) => false,
            }
    };
    let set = |nodes: &[NodeId]| nodes.iter().copied().collect::<BTreeSet<_>>();
    if current.nodes().any(replaced) {
        Urgency::Evacuate
    } else if is_strengthened(current, want) {
        Urgency::Strengthen
    } else if set(&want.voters) == set(&current.voters) && set(&want.learners) == set(&current.learners) {
        Urgency::Lead
    } else {
        Urgency::Improve
    }
}
