//! The line of commands before a group.

use super::QUEUE_CAPACITY;
use super::proposal::{Caller, Fault, Item};
use super::urgency::Urgency;
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// How many bytes of commands may be in line: a hundred of the longest.
const LINE_BYTES: usize = 32 * 1024 * 1024;

/// How many commands one entry carries: more does not make an fsync cheaper.
const ENTRY_COMMANDS: usize = 512;

/// How many bytes one entry carries, unless a single command is longer: an entry travels in one frame.
const ENTRY_BYTES: usize = 512 * 1024;

struct Waiting {
    item: Item,
    bytes: usize,
    caller: Caller,
}

#[derive(Default)]
struct Places {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    closed: bool,
}

/// The line before a group: many put, its batcher takes.
#[derive(Default)]
pub(crate) struct Line {
    places: Mutex<Places>,
    arrived: Notify,
}

/// Commands for one entry, and who waits for them.
pub(crate) struct Load {
    pub(crate) items: Vec<Item>,
    pub(crate) bytes: usize,
    pub(crate) callers: Vec<Caller>,
}

impl Line {
    /// Puts a command in line, or says why not.
    pub(crate) fn push(&self, item: Item, bytes: usize, urgency: Urgency, caller: Caller) -> Result<(), Fault> {
        let (bound, bytes_bound) = match urgency {
            Urgency::NewWork => (QUEUE_CAPACITY, LINE_BYTES),
            Urgency::InProgress => (QUEUE_CAPACITY * 2, LINE_BYTES * 2),
        };
        let mut places = self.places.lock();
        if places.closed {
            return Err(Fault::Stopping);
        }
        if places.waiting.len() >= bound || places.bytes >= bytes_bound {
            return Err(Fault::Busy);
        }
        places.waiting.push_back(Waiting { item, bytes, caller });
        places.bytes += bytes;
        let first = places.waiting.len() == 1;
        drop(places);
        if first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes what fits into one entry; nothing when nobody waits.
    pub(crate) fn take(&self) -> Option<Load> {
        let mut places = self.places.lock();
        let mut bytes = 0;
        let mut count = 0;
        for waiting in places.waiting.iter().take(ENTRY_COMMANDS) {
            if count > 0 && bytes + waiting.bytes > ENTRY_BYTES {
                break;
            }
            bytes += waiting.bytes;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        places.bytes = places.bytes.saturating_sub(bytes);
        let taken = places.waiting.drain(..count);
        let (items, callers) = taken.map(|waiting| (waiting.item, waiting.caller)).unzip();
        Some(Load { items, bytes, callers })
    }

    /// Waits until somebody may be in line.
    pub(crate) async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.places.lock().waiting.len()
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.places.lock().closed = true;
    }
}
