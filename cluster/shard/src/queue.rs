//! The line before the log writer.

use crate::proposal::Proposal;
use octopussy_core::ports::ProposeError;
use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// How many commands may be in line: at 30 000 a second a quarter of a second's worth. New work is turned away beyond it;
/// what moves accepted work on (steps, ends) may use as much again, so that overload never stops work in progress.
pub const QUEUE_CAPACITY: usize = 8_192;

/// Whether a command brings new work or moves accepted work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    NewWork,
    InProgress,
}

#[derive(Default)]
struct Line {
    waiting: Vec<Proposal>,
    closed: bool,
}

/// The line before the log writer: many put, one takes.
#[derive(Default)]
pub(crate) struct Queue {
    line: Mutex<Line>,
    /// The writer alone waits for this, so that an arrival wakes nobody else.
    arrived: Condvar,
    closing: Condvar,
}

/// What the writer finds.
pub(crate) enum Taken {
    /// Everything that was in line; nothing when the time ran out.
    Proposals(Vec<Proposal>),
    /// Nothing, and nothing will come.
    Closed,
}

impl Queue {
    /// Puts a proposal in line, or drops it and says why.
    pub(crate) fn push(&self, proposal: Proposal, urgency: Urgency) -> Result<(), ProposeError> {
        let bound = match urgency {
            Urgency::NewWork => QUEUE_CAPACITY,
            Urgency::InProgress => QUEUE_CAPACITY * 2,
        };
        let mut line = self.line.lock();
        if line.closed {
            return Err(ProposeError::Stopping);
        }
        if line.waiting.len() >= bound {
            return Err(ProposeError::Busy);
        }
        line.waiting.push(proposal);
        let first = line.waiting.len() == 1;
        drop(line);
        if first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes everything in line, waiting at most `limit` for something to come.
    pub(crate) fn take(&self, limit: Duration) -> Taken {
        let mut line = self.line.lock();
        if line.waiting.is_empty() && !line.closed {
            self.arrived.wait_for(&mut line, limit);
        }
        if line.waiting.is_empty() && line.closed {
            return Taken::Closed;
        }
        Taken::Proposals(std::mem::take(&mut line.waiting))
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.line.lock().closed = true;
        self.arrived.notify_all();
        self.closing.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.line.lock().closed
    }

    /// Waits at most `limit` for the closing.
    pub(crate) fn wait_closed(&self, limit: Duration) -> bool {
        let mut line = self.line.lock();
        if !line.closed {
            self.closing.wait_for(&mut line, limit);
        }
        line.closed
    }
}
