//! What happens to the cluster: what operators do, and what goes wrong.

use super::invariants;
use super::world::{Planted, World};
use crate::tests::support::{desire, invitation, join, member, node};
use octopussy_control::{ControlCommand, MemberRecord};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;

/// How many nodes there may ever be.
const NODES: u8 = 9;
/// How long trouble lasts, in milliseconds.
const TROUBLE: u64 = 150_000;
/// How long the cluster may take to settle afterwards.
const PATIENCE: u64 = 900_000;

/// A run from its foundation until everything is settled again.
pub(super) fn run(seed: u64, planted: Planted) -> Result<u64, String> {
    let mut rng = super::rng::Rng(seed ^ 0x5EED);
    let zones = rng.below(4);
    let members: Vec<MemberRecord> = (1..=NODES)
        .map(|number| {
            let mut record = member(number);
            record.capacity = u32::try_from(rng.below(3)).unwrap() + 1;
            record.zone = (zones > 0).then(|| format!("zone-{}", rng.below(zones)));
            let guest = number > 1 && rng.one_in(6);
            record.role = if guest { MemberRole::Guest } else { MemberRole::Full };
            record
        })
        .collect();
    let shards = u16::try_from(1 + rng.below(8)).unwrap();
    let mut world = World::new(seed, shards, members[0].clone(), planted);
    while world.now < TROUBLE {
        if world.rng.one_in(8) {
            happen(&mut world, &members)?;
        }
        world.step()?;
    }
    calm(&mut world)?;
    let deadline = world.now + PATIENCE;
    loop {
        match invariants::settled(&world) {
            Ok(()) => return Ok(world.decided),
            Err(unsettled) if world.now > deadline => return Err(format!("not settled: {unsettled}")),
            Err(_) => calm(&mut world)?,
        }
        for _ in 0..20 {
            world.step()?;
        }
    }
}

fn happen(world: &mut World, members: &[MemberRecord]) -> Result<(), String> {
    let number = u8::try_from(1 + world.rng.below(u64::from(NODES))).unwrap();
    let id = node(number);
    let now = Timestamp::from_millis(world.now);
    let is_member = world.truth.members.contains_key(&id);
    let reliable = !world.gone.contains(&id) && !world.truth.departed.contains_key(&id);
    match world.rng.below(13) {
        0..=3 if !is_member && reliable => {
            let joining = members[usize::from(number - 1)].clone();
            if let Some(made) = invitation(&world.truth, joining.role, now) {
                world.propose(None, made)?;
            }
            world.propose(None, join(joining, now))?;
            if world.truth.members.contains_key(&id) {
                world.start(id);
            }
        }
        4 if is_member && reliable => world.crash(id),
        5 => {
            // The leader of some group, in the middle of whatever it does.
            let leaders: Vec<_> = world.groups.values().filter_map(|group| group.leader).collect();
            if let Some(leader) = world.rng.pick(&leaders) {
                world.crash(leader);
            }
        }
        6 | 7 => restart(world),
        8 if is_member && reliable_without(world, id) >= 1 => {
            let options = [MemberDesired::Draining, MemberDesired::Active, MemberDesired::Active];
            let desired = world.rng.pick(&options).unwrap_or(MemberDesired::Active);
            world.propose(None, desire(number, desired))?;
        }
        9 if is_member && world.rng.one_in(2) && reliable_without(world, id) >= 1 => {
            world.propose(None, desire(number, MemberDesired::Leaving))?
        }
        10 if world.network.cut.is_empty() && is_member => {
            world.network.cut.insert(id);
        }
        10 | 11 => {
            world.network.cut.clear();
            if is_member
                && world.rng.one_in(4)
                && world.gone.len() < 2
                && world.survives(id)
                && reliable_without(world, id) >= 3
            {
                world.gone.insert(id);
                world.crash(id);
            }
        }
        12 if is_member && reliable && world.network.up.contains(&id) && world.rng.one_in(3) => world.lose(id),
        _ => {}
    }
    Ok(())
}

/// How many members other than `node` may hold replicas and will be there in the end.
fn reliable_without(world: &World, node: NodeId) -> usize {
    let others = world.truth.members.values().filter(|member| member.id != node && member.holds_replicas());
    others.filter(|member| !world.gone.contains(&member.id)).count()
}

fn restart(world: &mut World) {
    let down: Vec<NodeId> = world
        .truth
        .members
        .keys()
        .copied()
        .filter(|node| !world.network.up.contains(node) && !world.gone.contains(node))
        .collect();
    if let Some(node) = world.rng.pick(&down) {
        world.start(node);
    }
}

/// The end of all trouble: everybody who can comes back, and an operator sends away those who cannot.
fn calm(world: &mut World) -> Result<(), String> {
    world.network.cut.clear();
    let members: Vec<NodeId> = world.truth.members.keys().copied().collect();
    for id in members {
        if world.gone.contains(&id) {
            let leave = ControlCommand::SetDesired {
                node: id,
                desired: MemberDesired::Leaving,
                now: Timestamp::from_millis(world.now),
                by: octopussy_control::AskedBy::UNTOLD,
            };
            world.propose(None, leave)?;
        } else {
            world.start(id);
        }
    }
    Ok(())
}
