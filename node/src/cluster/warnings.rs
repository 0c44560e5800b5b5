//! What an operator should know about the cluster, in sentences. Pure.

use super::views::Seen;
use octopussy_control::MemberRecord;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{MemberDesired, Reach};
use octopussy_mesh::Impostor;
use std::time::Duration;

/// How many shards are named one by one before they are only counted.
const NAMED_SHARDS: usize = 8;

/// How long it is told that a start was refused.
const TOLD_FOR: Duration = Duration::from_secs(60 * 60);

/// Everything worth a warning, the gravest first.
pub(crate) fn warnings(seen: &Seen<'_>) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(control_group(seen));
    found.extend(leaderless(seen));
    found.extend(impostors(seen));
    found.extend(seen.control.members.values().filter_map(|member| absent(seen, member)));
    found.extend(few_members(seen));
    found.extend(seen.control.members.values().filter_map(|member| leaving(seen, member)));
    found.extend(same_zone(seen));
    found
}

fn control_group(seen: &Seen<'_>) -> Option<String> {
    if seen.control.members.len() < 2 || seen.control_is_led() {
        return None;
    }
    let why = if too_many_down(seen, &seen.control_voters) {
        "a majority of its voters is down"
    } else {
        "either it is being elected, or this node is on the smaller side of a partition"
    };
    Some(format!(
        "this node reaches no leader of the control group: members, places and secrets cannot be changed from here; {why}"
    ))
}

fn leaderless(seen: &Seen<'_>) -> Option<String> {
    let shards: Vec<ShardId> = (0..u16::try_from(seen.control.table.len()).unwrap_or(u16::MAX))
        .map(ShardId)
        .filter(|shard| seen.leader_of(*shard).is_none())
        .collect();
    if shards.is_empty() {
        return None;
    }
    let named = if shards.len() > NAMED_SHARDS {
        format!("{} of {} shards have", shards.len(), seen.control.table.len())
    } else {
        let numbers: Vec<String> = shards.iter().map(ToString::to_string).collect();
        format!(
            "shard{} {} {}",
            plural(shards.len()),
            numbers.join(", "),
            if shards.len() == 1 { "has" } else { "have" }
        )
    };
    let lost = shards.iter().filter(|shard| quorum_is_down(seen, **shard)).count();
    let more = match lost {
        0 => "; tasks for their agents wait until one is elected".to_owned(),
        lost => format!(
            "; for {lost} of them a majority of the voters is down: bring those nodes back, or, if they are lost for good, \
             run `octopussy cluster recover` on the node that is to go on alone"
        ),
    };
    Some(format!("{named} no leader{more}"))
}

/// Whether too many of the shard's voters are down for the others to elect one.
fn quorum_is_down(seen: &Seen<'_>, shard: ShardId) -> bool {
    seen.control.place(shard).is_some_and(|place| too_many_down(seen, &place.current.voters))
}

/// Whether those of the voters that are not down are no majority.
fn too_many_down<'a>(seen: &Seen<'_>, voters: impl IntoIterator<Item = &'a NodeId>) -> bool {
    let down: Vec<bool> = voters.into_iter().map(|voter| seen.reach_of(*voter) == Reach::Down).collect();
    !down.is_empty() && down.iter().filter(|down| !**down).count() * 2 <= down.len()
}

/// Starts that were refused lately: a copy of a member's home, or an old one, is somewhere.
fn impostors(seen: &Seen<'_>) -> Vec<String> {
    let tell = |(ago, refused): &(Duration, Impostor)| {
        let Impostor { node, address, reason, .. } = refused;
        let name = seen.control.members.get(node).map_or_else(|| node.to_string(), |member| member.name.clone());
        (*ago < TOLD_FOR).then(|| {
            format!(
                "a node at {address} that calls itself {name} was refused {} ago: {reason}. End it there: a home is for one node only",
                super::join_wire::in_words(*ago)
            )
        })
    };
    seen.refused.iter().filter_map(tell).collect()
}

fn absent(seen: &Seen<'_>, member: &MemberRecord) -> Option<String> {
    let name = &member.name;
    match seen.reach_of(member.id) {
        Reach::Alive => None,
        Reach::Suspect => Some(format!("{name} has not answered lately")),
        Reach::Unknown => Some(format!("nothing has been heard of {name} since this node started")),
        Reach::Down => {
            let since = seen.reach.down_for(member.id).map(super::join_wire::in_words);
            let since = since.map_or_else(String::new, |since| format!(" for {since}"));
            // Nobody is taken out while nobody leads the control group; what is to be done then is said of the groups.
            let leave = format!("; if it will not come back, `octopussy cluster leave {name} --force` takes it out");
            let leave = if seen.control_is_led() { leave } else { String::new() };
            Some(format!("{name} has been down{since}{leave}"))
        }
    }
}

fn few_members(seen: &Seen<'_>) -> Option<String> {
    let full = seen.full_members();
    if full.len() != 2 {
        return None;
    }
    let holder =
        |node: NodeId| seen.control.table.iter().filter(|place| place.current.voters.as_slice() == [node]).count();
    let stops: Vec<String> = full
        .iter()
        .map(|member| (member, holder(member.id)))
        .filter(|(_, shards)| *shards > 0)
        .map(|(member, shards)| format!("the loss of {} stops {shards} shard{}", member.name, plural(shards)))
        .collect();
    let stops = if stops.is_empty() { "the loss of one stops its shards".to_owned() } else { stops.join(", ") };
    Some(format!(
        "2 members cannot outvote a loss: a shard has one voter, and a copy at the other; {stops} until \
         `octopussy cluster recover` is run on the other. A third member ends this"
    ))
}

fn leaving(seen: &Seen<'_>, member: &MemberRecord) -> Option<String> {
    let what = match member.desired {
        MemberDesired::Active => return None,
        MemberDesired::Draining => "is being drained",
        MemberDesired::Leaving => "is leaving",
    };
    let holds = |place: &octopussy_control::ShardPlace| {
        place.current.voters.contains(&member.id) || place.current.learners.contains(&member.id)
    };
    let left = seen.control.table.iter().filter(|place| holds(place)).count();
    Some(match left {
        0 => format!("{} {what}; nothing is on it any more", member.name),
        left => format!("{} {what}; {left} replica{} are still on it", member.name, plural(left)),
    })
}

/// Zones are given, and yet some shard could be lost with one of them.
fn same_zone(seen: &Seen<'_>) -> Option<String> {
    let zone = |node: &NodeId| seen.control.members.get(node).and_then(|member| member.zone.clone());
    let concerned = seen.control.table.iter().filter(|place| {
        let voters = &place.current.voters;
        let first = voters.first().and_then(&zone);
        voters.len() > 1 && first.is_some() && voters.iter().all(|voter| zone(voter) == first)
    });
    match concerned.count() {
        0 => None,
        count => Some(format!("all voters of {count} shard{} are in one zone", plural(count))),
    }
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
