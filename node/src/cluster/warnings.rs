//! What an operator should know about the cluster, in sentences. Pure.

use super::views::Seen;
use octopussy_control::MemberRecord;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{MemberDesired, Reach};
use octopussy_mesh::Impostor;
use octopussy_shard::MAX_SKEW;
use std::time::Duration;

/// How many shards are named one by one before they are only counted.
const NAMED_SHARDS: usize = 8;

/// How long it is told that a start was refused.
const TOLD_FOR: Duration = Duration::from_secs(60 * 60);

/// Everything worth a warning, the gravest first.
pub(crate) fn warnings(seen: &Seen<'_>) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(own_losses(seen));
    found.extend(control_group(seen));
    found.extend(leaderless(seen));
    found.extend(clocks(seen));
    found.extend(nearly_full(seen));
    found.extend(seen.control.members.values().filter_map(|member| stuck(seen, member)));
    found.extend(impostors(seen));
    found.extend(seen.control.members.values().filter_map(|member| absent(seen, member)));
    found.extend(seen.control.members.values().filter_map(|member| shrunk(seen, member)));
    found.extend(few_members(seen));
    found.extend(seen.control.members.values().filter_map(|member| leaving(seen, member)));
    found.extend(same_zone(seen));
    found
}

/// What this node came back without.
fn own_losses(seen: &Seen<'_>) -> Option<String> {
    let losses = &seen.own_losses;
    let groups = |count: usize| format!("{count} group{}", plural(count));
    if !losses.alone.is_empty() {
        return Some(format!(
            "this node came back with less than it had, and nobody else votes in {} of which it has a replica: nothing is done \
             in them. Put the backup of its home back, or run `octopussy cluster recover` on the node that has most: here it \
             goes on with what is left, and what is lost stays lost",
            groups(losses.alone.len())
        ));
    }
    if losses.found == 0 && losses.waiting.is_empty() {
        return None;
    }
    let waiting = match losses.waiting.len() {
        0 => "all of them count again".to_owned(),
        waiting => format!("it is still to be let in again in {}", groups(waiting)),
    };
    Some(format!(
        "this node came back with less than it had: replicas of it had to begin anew; {waiting}. Look at its disk, and never start \
         an older copy of a home"
    ))
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

/// From how many percent on a bound of this node is worth a warning: there is time to do something about it.
const NEARLY: u64 = 90;

/// What of this node is nearly used up.
fn nearly_full(seen: &Seen<'_>) -> Vec<String> {
    const MIB: u64 = 1024 * 1024;
    let mut found = Vec::new();
    if let Some(percent) = seen.disk_used_percent.filter(|percent| *percent >= NEARLY) {
        found.push(format!(
            "the disk of this node's data is {percent} % full; a full one takes no more tasks: make room, or move the home"
        ));
    }
    let bounds = [(seen.unended.memory, "memory", "max_unended_mb"), (seen.unended.disk, "disk", "max_waiting_mb")];
    for ((used, limit), of, key) in bounds {
        if used.saturating_mul(100) >= limit.saturating_mul(NEARLY) && limit > 0 {
            found.push(format!(
                "the tasks that wait and run on this node take {} of the {} MiB of its {of} that they may take (store.{key}); \
                 beyond that it takes no new ones",
                used / MIB,
                limit / MIB
            ));
        }
    }
    found
}

/// A member under whose lead nothing is committed, by its own account.
fn stuck(seen: &Seen<'_>, member: &MemberRecord) -> Option<String> {
    let groups =
        seen.facts.get(&member.id).map(|facts| usize::from(facts.stuck_groups)).filter(|groups| *groups > 0)?;
    // What one that is down told last says nothing of now.
    (seen.reach_of(member.id) == Reach::Alive).then(|| {
        format!(
            "{} leads {groups} group{} in which nothing is committed although commands wait; another node is asked to lead: \
             should it last, look at the disks and the logs of its followers",
            member.name,
            plural(groups)
        )
    })
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

/// A member that came back with less than it had.
fn shrunk(seen: &Seen<'_>, member: &MemberRecord) -> Option<String> {
    let lost = *seen.lost_replicas.get(&member.id)?;
    let (name, s) = (&member.name, if lost == 1 { "replica" } else { "replicas" });
    Some(format!(
        "{name} came back with less than it had: {lost} {s} of it, led by this node, had to be installed anew. Nothing is lost \
         while the others of each shard have their data; look at its disk, and never start an older copy of a home"
    ))
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

/// Clocks that differ by so many milliseconds are worth a word.
const TOLD_SKEW: u64 = 1_000;

/// What the members' clocks show.
fn clocks(seen: &Seen<'_>) -> Vec<String> {
    let report = &seen.clocks;
    let mut found = Vec::new();
    let limit = MAX_SKEW.as_secs();
    if let Some(own) = report.own_ahead.filter(|_| report.is_outlier()) {
        found.push(format!(
            "this node's clock is {} that of the other members: a node that is more than {limit} s off leads nothing where \
             another can; set its clock (`timedatectl` shows whether it is kept by the network)",
            difference(own)
        ));
    }
    if report.disputed {
        found.push(format!(
            "the members' clocks differ by more than {limit} s, and there is no majority to tell which are right: tasks go on \
             by the time that passes; set the clocks"
        ));
    }
    if let Some(leap) = report.leap {
        found.push(format!(
            "this node's clock was set by {} while the node ran, which is not followed; once it is right, restart the node",
            super::join_wire::in_words(leap)
        ));
    }
    if !report.is_outlier() {
        for (node, ahead) in report.ahead.iter().filter(|(_, ahead)| ahead.unsigned_abs() >= TOLD_SKEW) {
            let name = seen.control.members.get(node).map_or_else(|| node.to_string(), |member| member.name.clone());
            found.push(format!("the clock of {name} is {} this node's", difference(*ahead)));
        }
    }
    found
}

fn difference(ahead: i64) -> String {
    let by = Duration::from_millis(ahead.unsigned_abs());
    let by = if by < Duration::from_secs(60) {
        format!("{:.1} s", by.as_secs_f64())
    } else {
        super::join_wire::in_words(by)
    };
    format!("{by} {}", if ahead < 0 { "behind" } else { "ahead of" })
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
