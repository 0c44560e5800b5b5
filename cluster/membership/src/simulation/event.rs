use crate::swim::SwimTimer;
use bytes::Bytes;
use std::cmp::Ordering;
use std::time::Duration;

/// The place of a node in the simulation.
pub(super) type Index = usize;

/// What will happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// A datagram arrives; it was sent to that life.
    Datagram { to: Index, boot: u64, from: Index, frame: Bytes },
    /// A timer of that life is due.
    Timer { node: Index, boot: u64, timer: SwimTimer },
    /// A request on the membership lane arrives.
    Request { to: Index, boot: u64, from: Index, from_boot: u64, frame: Bytes },
    /// Its answer arrives.
    Answer { to: Index, boot: u64, from: Index, frame: Bytes },
    /// `from` tries to connect to `to`.
    Dial { from: Index, boot: u64, to: Index },
    /// A link that was broken at this time has been idle for too long, if it is broken still.
    Idle { low: Index, high: Index, broken_at: Duration },
}

/// Something that will happen at a time; of one time, in the order in which it was scheduled.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) at: Duration,
    pub(super) sequence: u64,
    pub(super) what: Happening,
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap yields its greatest: the earliest must be that.
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}
