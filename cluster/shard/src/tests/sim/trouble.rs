//! What goes wrong, and for how long.

use super::node::Loss;
use super::planted::Planted;
use super::rng::Rng;
use super::world::World;
use std::time::Duration;

/// The shortest and the longest time between two troubles, in milliseconds.
const PAUSE: (u64, u64) = (60, 900);

/// The longest a node is frozen, in milliseconds: beyond the time after which its connections are given up.
const FREEZE: u64 = 4_000;

/// By how many millionths the rates of clocks differ at most.
const DRIFT: u64 = 500;

/// By how many milliseconds wall clocks that are right differ at most.
const SKEW: u64 = 500;

/// By how many milliseconds a wall clock that is wrong does: hours. One at a time is.
const WRONG: u64 = 2 * 60 * 60 * 1_000;

/// The longest a wall clock is wrong, in milliseconds.
const WRONG_FOR: u64 = 6_000;

/// The node whose clock runs at half its rate, where that is planted, and when it is first cut off, in milliseconds: by then it
/// leads what belongs to it.
const SLOW: (u8, u64) = (1, 6_000);

/// Something that is due later.
enum Later {
    Start(u8),
    Thaw(u8),
    SetClock(u8),
    /// It crashes, and loses what it had when `copied`; whoever was cut off is not any more.
    Forget {
        node: u8,
        copied: bool,
    },
}

/// What goes wrong.
pub(super) struct Trouble {
    rng: Rng,
    next: u64,
    later: Vec<(u64, Later)>,
    planted: Planted,
}

impl Trouble {
    /// Trouble from `begin` on. Clocks differ from the beginning.
    pub(super) fn new(world: &mut World, begin: u64, planted: Planted) -> Self {
        let mut rng = world.rng.fork();
        for node in world.nodes.values_mut() {
            node.rate = spread(&mut rng, DRIFT);
            node.offset = spread(&mut rng, SKEW);
        }
        world.network.set_detection(Duration::from_millis(rng.between(500, 3_000)));
        if planted != Planted::SlowClock {
            return Self { rng, next: begin, later: Vec::new(), planted };
        }
        if let Some(node) = world.nodes.get_mut(&SLOW.0) {
            node.rate = -500_000;
        }
        Self { rng, next: SLOW.1, later: Vec::new(), planted }
    }

    /// Lets happen what is due.
    pub(super) fn step(&mut self, world: &mut World) {
        let now = world.now();
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.later = later;
        for (_, what) in due {
            match what {
                Later::Start(number) => world.start(number),
                Later::Thaw(number) => world.thaw(number),
                Later::SetClock(number) => self.set_clock(world, number, SKEW),
                Later::Forget { node, copied } => {
                    world.crash(node);
                    world.cuts.clear();
                    world.block();
                    if copied && let Some(node) = world.nodes.get_mut(&node) {
                        node.lose_disks(Loss::OldCopy);
                    }
                }
            }
        }
        if now >= self.next {
            self.next = now + self.rng.between(PAUSE.0, PAUSE.1);
            self.happen(world);
        }
    }

    fn happen(&mut self, world: &mut World) {
        let numbers: Vec<u8> = world.nodes.keys().copied().collect();
        let up: Vec<u8> = world.nodes.values().filter(|node| node.is_up()).map(|node| node.number).collect();
        // Half of it befalls whoever leads something.
        let leaders: Vec<u8> = world.shards().all().flat_map(|shard| world.leaders(shard)).collect();
        let some = if self.rng.one_in(2) { &leaders } else { &up };
        let some = if some.is_empty() { &up } else { some };
        let Some(node) = self.rng.pick(some) else {
            if let Some(down) = self.rng.pick(&numbers) {
                world.start(down);
            }
            return;
        };
        let now = world.now();
        let (node, kind) = if self.planted == Planted::SlowClock {
            // It is cut off, and connected again.
            (SLOW.0, if world.cuts.is_empty() { 0 } else { 4 })
        } else {
            (node, self.rng.below(self.kinds()))
        };
        match kind {
            0 | 1 => self.isolate(world, node, &numbers),
            2 => self.cut(world, node, &numbers, true),
            3 => self.cut(world, node, &numbers, false),
            4 | 5 => {
                world.history.trouble("everything is connected again");
                world.cuts.clear();
                world.block();
            }
            6 => world.crash(node),
            7 | 8 => {
                // Back before anybody has noticed, or nearly so.
                world.crash(node);
                self.later.push((now + self.rng.between(10, 400), Later::Start(node)));
            }
            9 | 10 => {
                let down: Vec<u8> = numbers.iter().copied().filter(|number| !up.contains(number)).collect();
                if let Some(down) = self.rng.pick(&down) {
                    world.start(down);
                }
            }
            11 | 12 => {
                world.freeze(node, kind == 12);
                self.later.push((now + self.rng.between(50, FREEZE), Later::Thaw(node)));
            }
            13 => {
                // As after a start: a clock that is wrong is often found by a node that has just come.
                if self.later.iter().any(|(_, later)| matches!(later, Later::SetClock(_))) {
                    return;
                }
                self.set_clock(world, node, WRONG);
                if self.rng.one_in(2) {
                    world.crash(node);
                    self.later.push((now + self.rng.between(10, 400), Later::Start(node)));
                }
                self.later.push((now + self.rng.between(100, WRONG_FOR), Later::SetClock(node)));
            }
            14 => self.slow_network(world),
            16 | 17 => self.lose_disks(world, node),
            18 | 19 => self.drain(world, node),
            20..=23 => self.forget(world, node, &numbers),
            _ => {
                let by = self.rng.pick(&[0, 0, 20, 100, 400]).unwrap_or(0);
                world.history.trouble(format!("the disks of {node} get slower by up to {by} ms"));
                world.nodes[&node].slow_down(by);
            }
        }
    }

    fn set_clock(&mut self, world: &mut World, node: u8, most: u64) {
        let offset = spread(&mut self.rng, most);
        world.history.trouble(format!("the wall clock of {node} goes to {offset} ms"));
        if let Some(node) = world.nodes.get_mut(&node) {
            node.offset = offset;
        }
    }

    /// How many kinds of trouble there are: what is lost of a disk would hide what is planted elsewhere.
    const fn kinds(&self) -> u64 {
        match self.planted {
            Planted::Nothing => 20,
            Planted::OldHome => 24,
            Planted::NoFsync
            | Planted::EarlyAcknowledgement
            | Planted::NoKeys
            | Planted::Deaf
            | Planted::NoJournal
            | Planted::SlowClock
            | Planted::LostRows
            | Planted::OwnClocks
            | Planted::Suspended => 16,
        }
    }

    /// One node is cut off for a while; when it is back, one of the others has forgotten what it acknowledged meanwhile, and the
    /// one that has not is away.
    fn forget(&mut self, world: &mut World, behind: u8, numbers: &[u8]) {
        self.isolate(world, behind, numbers);
        let others: Vec<u8> = numbers.iter().copied().filter(|other| *other != behind).collect();
        let Some(forgetful) = self.rng.pick(&others) else { return };
        for other in others {
            let back = if other == forgetful { 700 } else { 4_000 };
            self.later.push((world.now() + 600, Later::Forget { node: other, copied: other == forgetful }));
            self.later.push((world.now() + back, Later::Start(other)));
        }
        self.next = world.now() + 4_500;
    }

    /// A node comes back without what it had, where no other one has less than it should.
    fn lose_disks(&mut self, world: &mut World, node: u8) {
        if !world.may_lose_disks(node) {
            return;
        }
        world.crash(node);
        let Some(loss) = self.rng.pick(&Loss::ALL) else { return };
        if let Some(node) = world.nodes.get_mut(&node) {
            node.lose_disks(loss);
        }
        world.lost_disks = Some(node);
        self.later.push((world.now() + self.rng.between(10, 400), Later::Start(node)));
    }

    /// What is on a node is to go elsewhere, and may come back.
    fn drain(&mut self, world: &mut World, node: u8) {
        if world.nodes.len() > 3 {
            let drained = world.drained.take();
            if drained.is_none() && world.lost_disks.is_none() {
                world.drained = Some(node);
            }
            for node in [drained, world.drained].into_iter().flatten() {
                world.desire(node);
            }
        }
    }

    fn isolate(&mut self, world: &mut World, node: u8, numbers: &[u8]) {
        world.history.trouble(format!("{node} is cut off"));
        for other in numbers.iter().copied().filter(|other| *other != node) {
            world.cuts.insert((node, other));
            world.cuts.insert((other, node));
        }
        world.block();
    }

    fn cut(&mut self, world: &mut World, node: u8, numbers: &[u8], both: bool) {
        let others: Vec<u8> = numbers.iter().copied().filter(|other| *other != node).collect();
        let Some(other) = self.rng.pick(&others) else { return };
        world.history.trouble(format!("{node} does not reach {other}{}", if both { " nor the reverse" } else { "" }));
        world.cuts.insert((node, other));
        if both {
            world.cuts.insert((other, node));
        }
        world.block();
    }

    fn slow_network(&mut self, world: &mut World) {
        match self.rng.below(3) {
            0 => {
                world.history.trouble("the network is quick");
                world.hurry();
            }
            1 => {
                let high = self.rng.between(10, 250);
                world.history.trouble(format!("the network takes up to {high} ms"));
                world.set_latency(1, high);
            }
            _ => {
                let after = self.rng.between(50, 400);
                world.history.trouble(format!("one message in ten is lost, and sent again {after} ms later"));
                world.network.set_resending(0.1, Duration::from_millis(after));
            }
        }
    }

    /// The end of all trouble.
    pub(super) fn calm(world: &mut World) {
        world.history.trouble("all trouble is over");
        world.nodes.values_mut().for_each(|node| node.offset = 0);
        world.hurry();
        world.cuts.clear();
        world.drained = None;
        let numbers: Vec<u8> = world.nodes.keys().copied().collect();
        for number in numbers {
            world.thaw(number);
            world.start(number);
            world.nodes[&number].slow_down(0);
        }
        world.block();
    }
}

/// A number between `-most` and `most`.
fn spread(rng: &mut Rng, most: u64) -> i64 {
    i64::try_from(rng.below(2 * most + 1)).unwrap() - i64::try_from(most).unwrap()
}
