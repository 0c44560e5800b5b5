//! A run, from the start of all nodes until everything is settled again.

use super::founding::{founded, shards_of};
use super::invariants;
use super::planted::Planted;
use super::trouble::Trouble;
use super::world::World;

/// When trouble begins, in milliseconds: all shards have leaders by then.
const BEGIN: u64 = 1_500;

/// When trouble ends.
const END: u64 = 11_500;

/// How long the cluster may take to settle afterwards.
const PATIENCE: u64 = 60_000;

/// How often is looked whether it has.
const LOOK_EVERY: u64 = 200;

/// What there was in a run.
pub(super) struct Summary {
    pub(super) effects: u64,
    pub(super) ended: u64,
}

/// A run. The first fault that is found ends it.
pub(super) fn run(seed: u64, planted: Planted) -> Result<Summary, String> {
    let nodes = if seed % 4 == 3 { 5 } else { 3 };
    let disks = founded(nodes);
    let mut world = World::new(seed, shards_of(nodes), disks, planted);
    let mut trouble = Trouble::new(&mut world, BEGIN, planted);
    for number in 1..=nodes {
        world.start(number);
    }
    while world.now() < END {
        trouble.step(&mut world);
        world.step(true)?;
    }
    Trouble::calm(&mut world);
    let deadline = world.now() + PATIENCE;
    loop {
        match invariants::settled(&world) {
            Ok(()) => break,
            Err(unsettled) if world.now() > deadline => {
                return Err(format!("not settled: {unsettled}; {}", world.describe()));
            }
            Err(_) => {}
        }
        for _ in 0..LOOK_EVERY {
            world.step(false)?;
        }
    }
    let (effects, ended) = world.history.counts();
    Ok(Summary { effects, ended })
}
