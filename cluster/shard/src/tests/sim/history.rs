//! What happened, in its order, and whether it was allowed to.

use super::event::Event;
use super::invariants::{self, Invariant};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many of the last events a fault is told with.
const TOLD: usize = 30;

/// What happened in a run.
pub(super) struct History {
    /// Milliseconds since the beginning, as nobody's clock shows them.
    now: AtomicU64,
    inner: Mutex<Inner>,
    traced: bool,
}

struct Inner {
    invariants: Vec<Box<dyn Invariant>>,
    trace: Vec<String>,
    fault: Option<String>,
    effects: u64,
    ended: u64,
}

impl History {
    pub(super) fn new() -> Arc<Self> {
        let inner = Inner { invariants: invariants::all(), trace: Vec::new(), fault: None, effects: 0, ended: 0 };
        let traced = std::env::var_os("OCTOPUSSY_SIM_TRACE").is_some();
        Arc::new(Self { now: AtomicU64::new(0), inner: Mutex::new(inner), traced })
    }

    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn set_now(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// Notes an event and lets every invariant look at it. The first fault is kept.
    pub(super) fn see(&self, event: &Event) {
        let mut inner = self.inner.lock();
        if inner.fault.is_some() {
            return;
        }
        if !matches!(event, Event::Speaks { .. }) {
            let line = format!("{} {event}", self.now());
            if self.traced {
                eprintln!("{line}");
            }
            inner.trace.push(line);
        }
        inner.effects += u64::from(matches!(event, Event::Effect { .. }));
        inner.ended += u64::from(matches!(event, Event::Ended { .. }));
        let now = self.now();
        let fault = inner.invariants.iter_mut().find_map(|invariant| invariant.see(now, event).err());
        if let Some(fault) = fault {
            let told = inner.trace.len().saturating_sub(TOLD);
            inner.fault = Some(format!("at {now} ms: {fault}; before it:\n  {}", inner.trace[told..].join("\n  ")));
        }
    }

    pub(super) fn trouble(&self, what: impl Into<String>) {
        self.see(&Event::Trouble(what.into()));
    }

    /// Notes a fault that no invariant has found.
    pub(super) fn fail(&self, fault: String) {
        self.inner.lock().fault.get_or_insert(fault);
    }

    pub(super) fn fault(&self) -> Result<(), String> {
        self.inner.lock().fault.clone().map_or(Ok(()), Err)
    }

    /// How many effects there were, and how many ends of tasks.
    pub(super) fn counts(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.effects, inner.ended)
    }
}
