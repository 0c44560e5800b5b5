//! Leaves a provider alone that fails again and again.

use octopussy_core::time::Timestamp;
use std::time::Duration;

/// So many failures in a row open the circuit.
pub const TRIP_AFTER: u32 = 5;
/// So long it stays open; then one call is let through to see.
pub const OPEN_FOR: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls pass; so many have failed in a row.
    Closed(u32),
    /// No call passes, since this moment.
    Open(Timestamp),
    /// One call has passed at this moment and has not come back.
    HalfOpen(Timestamp),
}

/// A circuit breaker. Time is an argument.
#[derive(Debug, Clone)]
pub struct Breaker(State);

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed(0))
    }
}

impl Breaker {
    /// Whether a call may pass now. A call that may has to report what came of it; one that never does (it was cancelled)
    /// blocks the circuit no longer than [`OPEN_FOR`].
    pub fn permits(&mut self, now: Timestamp) -> bool {
        match self.0 {
            State::Closed(_) => true,
            State::Open(since) | State::HalfOpen(since) if now.since(since) >= OPEN_FOR => {
                self.0 = State::HalfOpen(now);
                true
            }
            State::Open(_) | State::HalfOpen(_) => false,
        }
    }

    /// Whether a call would pass now; changes nothing.
    #[must_use]
    pub fn would_permit(&self, now: Timestamp) -> bool {
        self.clone().permits(now)
    }

    /// A call succeeded.
    pub fn succeeded(&mut self) {
        self.0 = State::Closed(0);
    }

    /// A call failed in a way that speaks against the provider.
    pub fn failed(&mut self, now: Timestamp) {
        self.0 = match self.0 {
            State::Closed(failures) if failures + 1 < TRIP_AFTER => State::Closed(failures + 1),
            State::Closed(_) | State::HalfOpen(_) => State::Open(now),
            State::Open(since) => State::Open(since),
        };
    }
}
