//! Who votes in the control group.

use crate::Limits;
use crate::census::{Census, Standing};
use crate::place::largest_odd;
use octopussy_core::ids::NodeId;
use octopussy_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The control group's voters: one, three or five of the active full members. Whoever votes already goes on voting while it
/// is not dead, so that a restart changes nothing; a dead voter is replaced when somebody answers who could take its place,
/// and otherwise kept. So is one that is drained or leaving, while the only ones who could replace it are away. New ones are
/// taken from the zones with the fewest voters, the longest members first.
pub(crate) fn control_voters(
    census: &Census<'_>,
    present: &BTreeSet<NodeId>,
    me: NodeId,
    limits: &Limits,
) -> BTreeSet<NodeId> {
    let mut tiers: [Vec<NodeId>; 4] = Default::default();
    let mut wanted = 0;
    for node in census.control.members.keys().copied() {
        let standing = census.standing(node);
        match (standing, present.contains(&node)) {
            (Standing::Alive | Standing::Away(_), true) => tiers[0].push(node),
            (Standing::Alive, false) => tiers[1].push(node),
            (Standing::Dead, true) => tiers[2].push(node),
            (Standing::Unfit, true) => tiers[3].push(node),
            (Standing::Away(_) | Standing::Dead | Standing::Unfit, false) => {}
        }
        wanted += usize::from(match standing {
            Standing::Alive | Standing::Away(_) => true,
            Standing::Dead => present.contains(&node),
            Standing::Unfit => false,
        });
    }
    let size = largest_odd(wanted.min(limits.control_voters));
    let mut chosen = Choice { census, me, zones: BTreeMap::new(), nodes: Vec::new() };
    for mut tier in tiers {
        while chosen.nodes.len() < size && !tier.is_empty() {
            chosen.take_best(&mut tier);
        }
    }
    chosen.nodes.truncate(largest_odd(chosen.nodes.len()));
    if chosen.nodes.is_empty() { present.clone() } else { chosen.nodes.into_iter().collect() }
}

struct Choice<'a> {
    census: &'a Census<'a>,
    me: NodeId,
    zones: BTreeMap<&'a str, usize>,
    nodes: Vec<NodeId>,
}

impl Choice<'_> {
    fn take_best(&mut self, tier: &mut Vec<NodeId>) {
        let best = (0..tier.len()).min_by_key(|index| self.order(tier[*index]));
        let Some(best) = best else { return };
        let node = tier.remove(best);
        if let Some(zone) = self.zone(node) {
            *self.zones.entry(zone).or_default() += 1;
        }
        self.nodes.push(node);
    }

    /// The leader stays, to begin with; who answers comes before who does not.
    fn order(&self, node: NodeId) -> (bool, bool, usize, Timestamp, NodeId) {
        let joined_at = self.census.control.members.get(&node).map_or(Timestamp::EPOCH, |member| member.joined_at);
        let crowd = self.zone(node).and_then(|zone| self.zones.get(zone)).copied().unwrap_or(0);
        (node != self.me, !self.census.answers(node), crowd, joined_at, node)
    }
}

impl<'a> Choice<'a> {
    fn zone(&self, node: NodeId) -> Option<&'a str> {
        self.census.control.members.get(&node).and_then(|member| member.zone.as_deref())
    }
}
