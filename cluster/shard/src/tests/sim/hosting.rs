//! The host of a node's agents, reduced to what matters here: it takes tasks of shards led here, runs them step by step under
//! the epoch of the leadership, and falls silent when it is told that the leadership is over.

use super::event::Event;
use super::history::History;
use super::planted::Planted;
use super::run::Run;
use crate::tests::support::TestClock;
use octopussy_core::ids::{AgentId, Epoch, ShardId};
use octopussy_core::ports::{LedShardsPort, LedgerObserver, LedgerPort};
use octopussy_core::task::LedgerEvent;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often is looked for work that nobody has told of.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long an agent rests after a run that failed.
const REST: Duration = Duration::from_millis(20);

/// A leadership of a shard, as the host has been told of it.
#[derive(Clone)]
pub(super) struct Tenure {
    pub(super) shard: ShardId,
    pub(super) epoch: Epoch,
    pub(super) over: CancellationToken,
}

/// The host of a node's agents.
pub(super) struct Hosting {
    pub(super) number: u8,
    pub(super) planted: Planted,
    pub(super) history: Arc<History>,
    pub(super) ledger: Arc<dyn LedgerPort>,
    pub(super) led: Arc<dyn LedShardsPort>,
    pub(super) clock: Arc<TestClock>,
    tenures: Mutex<BTreeMap<ShardId, Tenure>>,
    busy: Mutex<BTreeSet<AgentId>>,
    work: Notify,
}

impl Hosting {
    /// Starts it within the node's runtime.
    pub(super) fn start(
        number: u8,
        planted: Planted,
        history: &Arc<History>,
        ledger: Arc<dyn LedgerPort>,
        led: Arc<dyn LedShardsPort>,
        clock: Arc<TestClock>,
    ) {
        let this = Arc::new(Self {
            number,
            planted,
            history: Arc::clone(history),
            ledger,
            led: Arc::clone(&led),
            clock,
            tenures: Mutex::default(),
            busy: Mutex::default(),
            work: Notify::new(),
        });
        led.observe(Arc::new(Ears(Arc::downgrade(&this))));
        tokio::spawn(this.serve());
    }

    async fn serve(self: Arc<Self>) {
        loop {
            tokio::select! {
                biased;
                () = self.work.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            // The ledger lists them in no order, and a run is to repeat itself.
            let agents: BTreeSet<AgentId> = self.led.agents_with_work().into_iter().collect();
            for agent in agents {
                let tenure = self.tenures.lock().get(&self.ledger.shards().shard_of(agent)).cloned();
                let Some(tenure) = tenure else { continue };
                if !self.busy.lock().insert(agent) {
                    continue;
                }
                let this = Arc::clone(&self);
                tokio::spawn(async move {
                    while let Some(task) = this.led.next_task(agent) {
                        let run = Run { hosting: &this, tenure: &tenure, task: task.id };
                        if !run.drive().await {
                            tokio::time::sleep(REST).await;
                            break;
                        }
                    }
                    this.busy.lock().remove(&agent);
                });
            }
        }
    }

    fn hear(&self, event: &LedgerEvent) {
        let node = self.number;
        match event {
            LedgerEvent::LeaderGained { shard, epoch } => {
                self.history.see(&Event::Gained { node, shard: *shard, epoch: *epoch });
                let tenure = Tenure { shard: *shard, epoch: *epoch, over: CancellationToken::new() };
                self.tenures.lock().insert(*shard, tenure);
                self.work.notify_one();
            }
            LedgerEvent::LeaderLost { shard } => {
                self.history.see(&Event::Lost { node, shard: *shard });
                if self.planted != Planted::Deaf
                    && let Some(tenure) = self.tenures.lock().remove(shard)
                {
                    tenure.over.cancel();
                }
            }
            LedgerEvent::TaskReady { .. } => self.work.notify_one(),
            LedgerEvent::StepDone { task, step } => {
                self.history.see(&Event::Stepped { task: *task, step: step.index });
            }
            LedgerEvent::TaskEnded { task } => self.history.see(&Event::Ended { task: Arc::clone(task) }),
            LedgerEvent::TaskBegun { .. } | LedgerEvent::CancelRequested { .. } | LedgerEvent::AgentChanged { .. } => {}
        }
    }
}

/// Listens to the ledger. Holds the host weakly: the ledger outlives it.
struct Ears(Weak<Hosting>);

impl LedgerObserver for Ears {
    fn on_event(&self, event: &LedgerEvent) {
        if let Some(hosting) = self.0.upgrade() {
            hosting.hear(event);
        }
    }
}
