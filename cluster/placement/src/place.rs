//! Which nodes hold a shard, when nothing but the members is known.

use crate::rendezvous::Rank;
use octopussy_control::{MemberRecord, ReplicaSet};
use octopussy_core::ids::{NodeId, ShardId};
use std::collections::BTreeMap;

/// A node that may hold replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its id.
    pub node: NodeId,
    /// Its weight; zero counts as one.
    pub capacity: u32,
    /// Its zone. A node without one counts as a zone of its own.
    pub zone: Option<&'a str>,
}

impl<'a> From<&'a MemberRecord> for Candidate<'a> {
    fn from(member: &'a MemberRecord) -> Self {
        Self { node: member.id, capacity: member.capacity, zone: member.zone.as_deref() }
    }
}

/// The place of `shard` among `members`: as many replicas as `replication` says and as there are members, in different zones
/// while there are zones enough. The largest odd number of them vote, the best ranked first; one that is left over follows.
/// So one member makes one voter, two make a voter and a learner, and from three on a replication of three makes three
/// voters. Empty without members.
#[must_use]
pub fn place(shard: ShardId, members: &[Candidate<'_>], replication: u8) -> ReplicaSet {
    let options: Vec<_> = members
        .iter()
        .map(|candidate| Applicant { candidate: *candidate, turn: Turn::Ranked, may_vote: true })
        .collect();
    choose(shard, &options, replication)
}

/// When a candidate is taken: earlier ones before all later ones, whatever their rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// Before all others, since it holds a replica that is not to be taken from it now.
    Kept,
    /// By its rank.
    Ranked,
    /// Only when there is nobody else.
    LastResort,
}

/// A candidate, and how welcome it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applicant<'a> {
    pub(crate) candidate: Candidate<'a>,
    /// When it is taken.
    pub(crate) turn: Turn,
    /// Preferred when not everybody gets a vote.
    pub(crate) may_vote: bool,
}

/// As [`place`], with differences between the candidates.
pub(crate) fn choose(shard: ShardId, options: &[Applicant<'_>], replication: u8) -> ReplicaSet {
    let mut left: Vec<_> = options
        .iter()
        .map(|option| (option, Rank::of(shard, option.candidate.node, option.candidate.capacity)))
        .collect();
    left.sort_by_key(|(_, rank)| *rank);
    let replicas = usize::from(replication.max(1)).min(left.len());
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chosen = Vec::with_capacity(replicas);
    for _ in 0..replicas {
        let crowd =
            |option: &Applicant<'_>| option.candidate.zone.and_then(|zone| zones.get(zone)).copied().unwrap_or(0);
        // The earliest of equals is taken, and they are in the order of their ranks.
        let best = (0..left.len()).min_by_key(|index| (left[*index].0.turn, crowd(left[*index].0)));
        let Some(best) = best else { break };
        let (option, _) = left.remove(best);
        if let Some(zone) = option.candidate.zone {
            *zones.entry(zone).or_default() += 1;
        }
        chosen.push(option);
    }
    let votes = largest_odd(chosen.len());
    // Stable: among those who may vote, the best ranked do.
    chosen.sort_by_key(|option| !option.may_vote);
    let mut nodes = chosen.into_iter().map(|option| option.candidate.node);
    ReplicaSet { voters: nodes.by_ref().take(votes).collect(), learners: nodes.collect() }
}

/// The largest odd number that is not larger than `number`; zero for zero.
pub(crate) const fn largest_odd(number: usize) -> usize {
    if number.is_multiple_of(2) { number.saturating_sub(1) } else { number }
}
