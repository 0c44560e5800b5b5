//! Leaves a provider alone that fails again and again.

use octopussy_core::time::Timestamp;
use std::time::Duration;

/// So many failures in a row open the circuit.
pub const TRIP_AFTER: u32 = 5;
/// So long it stays open; then one call is let through to see.
pub const OPEN_FOR: Duration = Duration::from_secs(30);
/// How soon to ask again while that one call is under way.
const TRIAL: Duration = Duration::from_secs(2);

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

    /// How long to wait before a call may pass; `None` when one may now. Changes nothing.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        let left = |since: Timestamp| OPEN_FOR.saturating_sub(now.since(since));
        match self.0 {
            State::Closed(_) => None,
            State::Open(since) => Some(left(since)).filter(|left| !left.is_zero()),
            State::HalfOpen(since) => Some(left(since).min(TRIAL)).filter(|left| !left.is_zero()),
        }
    }

    /// Whether it has opened, and no call has succeeded since.
    #[must_use]
    pub const fn is_tripped(&self) -> bool {
        match self.0 {
            State::Closed(_) => false,
            State::Open(_) | State::HalfOpen(_) => true,
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
