use crate::swim::SwimTimer;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use tokio::time::Instant;

/// Timers by time; those of one moment come out in the order in which they went in.
///
/// The protocol has one probe, a handful of periodic timers and one timer for every suspected or dead member under way, so
/// the queue is bounded by the number of members.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    heap: BinaryHeap<Scheduled>,
    sequence: u64,
}

impl TimerQueue {
    pub(crate) fn push(&mut self, at: Instant, timer: SwimTimer) {
        self.sequence += 1;
        self.heap.push(Scheduled { at, sequence: self.sequence, timer });
    }

    /// When the next one is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|scheduled| scheduled.at)
    }

    /// The next one that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<SwimTimer> {
        if self.next_at()? > now { None } else { self.heap.pop().map(|scheduled| scheduled.timer) }
    }
}

#[derive(Debug)]
struct Scheduled {
    at: Instant,
    sequence: u64,
    timer: SwimTimer,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap yields its greatest: the earliest must be that.
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}
