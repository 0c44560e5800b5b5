//! A simulated node: the real code in a runtime and with clocks of its own, which can be frozen, crashed and started again.

use super::bay::Bay;
use super::disk::{Disks, Image, Images};
use super::event::Event;
use super::history::History;
use super::hosting::Hosting;
use super::planted::Planted;
use super::reach::Seen;
use super::rng::Rng;
use crate::raft::machine::StateHost;
use crate::tests::support::{START, TestClock, node_id};
use crate::{ShardHost, ShardHostConfig, Timings};
use octopussy_core::ids::{AgentId, ShardId};
use octopussy_core::ports::{LedShardsPort, LedgerPort};
use octopussy_mesh::memory::Network;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// What a node's disks lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// All of it.
    Everything,
    /// What came after the beginning.
    OldCopy,
    /// The log, and not the state.
    Log,
    /// The state, and not the log.
    State,
    /// What came after the beginning, of the state only.
    OldState,
}

impl Loss {
    pub(super) const ALL: [Self; 5] = [Self::Everything, Self::OldCopy, Self::Log, Self::State, Self::OldState];
}

/// What runs once the stores are open.
pub(super) struct Opened {
    pub(super) host: Arc<ShardHost>,
    pub(super) ledger: Arc<dyn LedgerPort>,
    pub(super) led: Arc<dyn LedShardsPort>,
}

/// A node from one start to its crash. Dropping it drops all tasks of the node wherever they are.
struct Life {
    opened: Arc<OnceLock<Opened>>,
    bay: Arc<Bay>,
    /// When it started, in milliseconds of the simulation.
    born: u64,
    /// The node's own time at its start, and how many milliseconds it has counted since.
    base: Instant,
    passed: u64,
    /// How long its clock has stood still.
    missed: u64,
    /// The first that is dropped: what is in `opened` must outlive the tasks that use it.
    runtime: Option<Runtime>,
}

impl Drop for Life {
    fn drop(&mut self) {
        // The writers first: whoever closes a log waits for its writer to be gone.
        self.bay.clear();
        let runtime = self.runtime.take();
        self.bay.within(|| drop(runtime));
    }
}

/// A simulated node.
pub(super) struct SimNode {
    pub(super) number: u8,
    pub(super) disks: Disks,
    pub(super) clock: Arc<TestClock>,
    /// By how many millionths its clocks run too fast.
    pub(super) rate: i64,
    /// By how many milliseconds its wall clock is ahead.
    pub(super) offset: i64,
    /// Since when it is frozen, and whether its clock stands still, as that of a machine that is suspended.
    frozen: Option<(u64, bool)>,
    dir: PathBuf,
    /// What lay on its disks at the beginning.
    copy: Images,
    /// Whether it is told at its next start that its disks hold an older copy.
    restored: bool,
    boots: u64,
    life: Option<Life>,
    history: Arc<History>,
    planted: Planted,
}

impl SimNode {
    pub(super) fn new(number: u8, images: Images, dir: PathBuf, history: &Arc<History>, planted: Planted) -> Self {
        Self {
            number,
            disks: Disks::new(number, images.clone(), planted),
            clock: crate::tests::support::clock(),
            rate: 0,
            offset: 0,
            frozen: None,
            dir,
            copy: images,
            restored: false,
            boots: 0,
            life: None,
            history: Arc::clone(history),
            planted,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Whether it runs and its stores are open.
    pub(super) fn opened(&self) -> Option<&Opened> {
        self.life.as_ref()?.opened.get()
    }

    /// Which life it is in.
    pub(super) const fn boots(&self) -> u64 {
        self.boots
    }

    /// Starts it on what its disks hold.
    pub(super) fn start(&mut self, network: &Network, rng: &mut Rng) {
        let now = self.history.now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        self.boots += 1;
        let bay = Bay::new(rng.fork());
        bay.credulous.store(self.planted == Planted::OwnClocks, Ordering::Relaxed);
        let opened = Arc::new(OnceLock::new());
        let base = {
            let _entered = runtime.enter();
            let mesh = network.node(node_id(self.number), self.boots);
            let reach = Arc::new(Seen::new(Arc::clone(&mesh)));
            let config = ShardHostConfig {
                timings: Timings::FAST,
                flush_interval: Duration::from_millis(200),
                tick_interval: Duration::from_millis(100),
                replace_after: Duration::from_secs(24 * 60 * 60),
                restored: self.restored,
                introduced: (1..=9).map(node_id).collect(),
                ..ShardHostConfig::new(&self.dir)
            };
            let (clock, opener, slot) = (self.clock.clone(), self.disks.opener(), Arc::clone(&opened));
            let (history, number, planted) = (Arc::clone(&self.history), self.number, self.planted);
            runtime.spawn(async move {
                let host = match ShardHost::open_with(config, clock.clone(), mesh, reach, opener).await {
                    Ok(host) => host,
                    Err(error) => return history.fail(format!("{number} does not open: {error}")),
                };
                let (ledger, led) = (host.ledger(), host.led());
                Hosting::start(number, planted, &history, Arc::clone(&ledger), Arc::clone(&led), clock);
                drop(slot.set(Opened { host, ledger, led }));
            });
            Instant::now()
        };
        let life = Life { opened, bay, born: now, base, passed: 0, missed: 0, runtime: Some(runtime) };
        self.life = Some(life);
        self.history.trouble(format!("{} starts", self.number));
    }

    /// Does something in the node, as one of its tasks.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = self.life.as_ref().and_then(|life| life.runtime.as_ref()) {
            runtime.spawn(task);
        }
    }

    /// Everything of it but its disks is gone; `lands` says whether what was on its way to them is there nevertheless.
    pub(super) fn crash(&mut self, network: &Network, lands: bool) {
        let Some(life) = self.life.take() else { return };
        self.frozen = None;
        // Whoever restores a copy says so until it has been opened once.
        self.restored &= life.opened.get().is_none();
        network.stop(node_id(self.number));
        if lands {
            life.bay.write_unheard();
        }
        drop(life);
        self.disks.crash();
        self.history.see(&Event::Crashed { node: self.number });
    }

    /// What it had, of a node that is down, is gone.
    pub(super) fn lose_disks(&mut self, loss: Loss) {
        let (log, state) = self.disks.images();
        let what = match loss {
            Loss::Everything => {
                self.disks.put_back(Images::default());
                "are empty"
            }
            Loss::OldCopy => {
                self.disks.put_back(self.copy.clone());
                self.restored = self.planted != Planted::OldHome;
                "are an old copy"
            }
            Loss::Log => {
                self.disks.put_back((Image::default(), state));
                "have lost the log"
            }
            Loss::State => {
                self.disks.put_back((log, Image::default()));
                "have lost the state"
            }
            Loss::OldState => {
                self.disks.put_back((log, self.copy.1.clone()));
                "have an old state"
            }
        };
        self.history.trouble(format!("the disks of {} {what}", self.number));
    }

    /// Nothing of it runs any more, while time goes on; its own does not when its machine is `suspended`.
    pub(super) fn freeze(&mut self, suspended: bool) {
        if self.is_up() && !self.is_frozen() {
            self.frozen = Some((self.history.now(), suspended));
            self.history.see(&Event::Frozen { node: self.number });
        }
    }

    /// It goes on, and finds that time has passed.
    pub(super) fn thaw(&mut self) {
        let Some((since, suspended)) = self.frozen.take() else { return };
        self.history.see(&Event::Thawed { node: self.number });
        let now = self.history.now();
        if suspended {
            if let Some(life) = &mut self.life {
                life.missed += now - since;
                if self.planted != Planted::Suspended {
                    life.bay.slept.fetch_add(now - since, Ordering::Relaxed);
                }
            }
            return;
        }
        // The clock leaps: no timer sees the time in between.
        let Some(left) = self.due(now) else { return };
        let Some(life) = &mut self.life else { return };
        let runtime = life.runtime.as_ref().unwrap();
        life.bay.within(|| runtime.block_on(async { tokio::time::advance(Duration::from_millis(left)).await }));
        life.passed += left;
    }

    /// How many milliseconds its own time has to go on to be where it belongs.
    fn due(&self, now: u64) -> Option<u64> {
        let life = self.life.as_ref()?;
        let lived = i64::try_from(now - life.born - life.missed).unwrap();
        let own = lived + lived * self.rate / 1_000_000;
        u64::try_from(own).unwrap().checked_sub(life.passed).filter(|left| *left > 0)
    }

    /// Lets it run up to the present moment.
    pub(super) fn run(&mut self) {
        let now = self.history.now();
        let lived = i64::try_from(now).unwrap();
        let wall = i64::try_from(START).unwrap() + lived + lived * self.rate / 1_000_000 + self.offset;
        self.clock.set(u64::try_from(wall).unwrap());
        if self.is_frozen() {
            return;
        }
        let Some(left) = self.due(now) else { return };
        let Some(life) = &mut self.life else { return };
        life.passed += left;
        let until = life.base + Duration::from_millis(life.passed);
        let runtime = life.runtime.as_ref().unwrap();
        life.bay.within(|| runtime.block_on(async { tokio::time::sleep_until(until).await }));
    }

    /// Makes its disks slower by up to so many milliseconds for each write.
    pub(super) fn slow_down(&self, by: u64) {
        if let Some(life) = &self.life {
            life.bay.slowness.store(by, Ordering::Relaxed);
        }
    }

    /// The shards for which it could speak at this moment.
    pub(super) fn speaks(&self, shards: impl Iterator<Item = ShardId>) -> Vec<Event> {
        let (Some(life), Some(opened)) = (&self.life, self.opened()) else { return Vec::new() };
        let _entered = life.runtime.as_ref().unwrap().enter();
        let node = self.number;
        let speaks = |shard| Some(Event::Speaks { node, shard, epoch: opened.led.epoch(shard)? });
        life.bay.within(|| shards.filter_map(speaks).collect())
    }

    /// What it has applied.
    pub(super) fn state(&self) -> Result<&StateHost, String> {
        let opened = self.opened().ok_or_else(|| format!("{} is not there", self.number))?;
        Ok(&opened.host.core().context.state)
    }

    /// How many commands wait before each of its groups.
    pub(super) fn lines(&self) -> Vec<(u16, usize)> {
        let Some(opened) = self.opened() else { return Vec::new() };
        let groups = opened.host.core().registry.all();
        groups.iter().map(|group| (group.id().0, group.line().waiting())).collect()
    }

    /// How many tasks wait for each agent, as far as this node has applied.
    pub(super) fn mailboxes(&self, agents: &[AgentId]) -> Vec<(AgentId, usize)> {
        let Ok(state) = self.state() else { return Vec::new() };
        agents.iter().map(|agent| (*agent, state.waiting(*agent))).collect()
    }
}
