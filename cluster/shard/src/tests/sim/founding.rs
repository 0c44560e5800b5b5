//! The cluster that every run begins with: founded and filled once for each size, then kept as what lies on its nodes' disks.

use super::disk::Images;
use super::planted::Planted;
use super::world::World;
use crate::tests::support::{admin, agent, cluster, join_token, member, node_id};
use octopussy_control::ControlCommand;
use octopussy_core::task::Command;
use octopussy_core::time::Clock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// How many shards a cluster of so many nodes has.
pub(super) const fn shards_of(nodes: u8) -> u16 {
    if nodes > 3 { 3 } else { 2 }
}

/// How long a step of the founding may take, in milliseconds.
const LIMIT: u64 = 120_000;

/// How long the cluster runs once it is complete, so that all of it is on the disks.
const REST: u64 = 3_000;

/// What lies on the disks of a cluster of three or of five nodes.
pub(super) fn founded(nodes: u8) -> BTreeMap<u8, Images> {
    static THREE: OnceLock<BTreeMap<u8, Images>> = OnceLock::new();
    static FIVE: OnceLock<BTreeMap<u8, Images>> = OnceLock::new();
    let place = if nodes > 3 { &FIVE } else { &THREE };
    place.get_or_init(|| found(nodes).unwrap_or_else(|fault| panic!("the founding: {fault}"))).clone()
}

fn found(nodes: u8) -> Result<BTreeMap<u8, Images>, String> {
    let shards = shards_of(nodes);
    let empty = (1..=nodes).map(|number| (number, Images::default())).collect();
    let mut world = World::new(0, shards, empty, Planted::Nothing);
    open(&mut world, 1)?;
    let host = Arc::clone(&world.nodes[&1].opened().ok_or("it has gone")?.host);
    let first = Arc::clone(&host);
    done(&mut world, async move { first.found(cluster(shards), member(node_id(1))).await.is_ok() })?;
    for number in 2..=nodes {
        open(&mut world, number)?;
        let (sponsor, now) = (Arc::clone(&host), world.nodes[&1].clock.now());
        done(&mut world, async move {
            let (added, token) = join_token(&[number], node_id(1), now);
            let member = Box::new(member(node_id(number)));
            let joined = ControlCommand::Join { member, token, now };
            sponsor.propose_control_for(admin(), added).await.is_ok() && sponsor.propose_control(joined).await.is_ok()
        })?;
    }
    world.until("the settling", LIMIT, |world| is_settled(world, usize::from(nodes)))?;
    let ledger = Arc::clone(&world.nodes[&1].opened().ok_or("it has gone")?.ledger);
    for number in 0..8 {
        let (agent, ledger) = (agent(&format!("agent-{number}")), Arc::clone(&ledger));
        let shard = world.shards().shard_of(agent.id);
        done(&mut world, async move {
            ledger.propose(shard, Command::CreateAgent { agent: Box::new(agent) }).await.is_ok()
        })?;
    }
    drop((host, ledger));
    let end = world.now() + REST;
    while world.now() < end {
        world.step(false)?;
    }
    for number in 1..=nodes {
        world.crash(number);
    }
    Ok(world.nodes.iter().map(|(number, node)| (*number, node.disks.images())).collect())
}

fn open(world: &mut World, number: u8) -> Result<(), String> {
    world.start(number);
    world.until("the opening", LIMIT, |world| world.nodes[&number].opened().is_some())
}

/// Lets the first node do something that must work.
fn done(world: &mut World, action: impl Future<Output = bool> + Send + 'static) -> Result<(), String> {
    let (is_done, worked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (told, well) = (Arc::clone(&is_done), Arc::clone(&worked));
    world.nodes[&1].spawn(async move {
        well.store(action.await, Ordering::SeqCst);
        told.store(true, Ordering::SeqCst);
    });
    world.until("a step of the founding", LIMIT, |_| is_done.load(Ordering::SeqCst))?;
    if worked.load(Ordering::SeqCst) { Ok(()) } else { Err("a step of the founding failed".to_owned()) }
}

fn is_settled(world: &World, nodes: usize) -> bool {
    let everywhere = world.nodes.values().filter_map(|node| node.opened()).all(|opened| {
        let control = opened.host.control();
        control.members.len() == nodes
            && control.table.iter().all(|place| place.target.is_none() && place.current.voters.len() == 3)
    });
    everywhere && world.shards().all().all(|shard| world.leaders(shard).len() == 1)
}
