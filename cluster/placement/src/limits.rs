//! The bounds of what is done at once, and how soon.

use std::time::Duration;

/// How many voters the control group has at most: five survive the loss of two, and more would only slow every commit.
const CONTROL_VOTERS: usize = 5;

/// How many shards move at once: each move copies a shard's state over the network and onto a card.
const MAX_MOVES: usize = 4;

/// How many log entries a replica may lag behind and still count as caught up: what is sent within a few milliseconds.
const CAUGHT_UP: u64 = 256;

/// Bounds and delays of the reconciler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many shards have a target at once, at most.
    pub max_moves: usize,
    /// How long a node is down before its replicas are replaced. Must be longer than any restart.
    pub grace: Duration,
    /// How long a node may be down that a move is to bring a replica to, before the move is planned anew. Not longer than
    /// `grace`.
    pub patience: Duration,
    /// How many log entries a replica may lag behind its leader and still get a vote or the leadership.
    pub caught_up: u64,
    /// How long a leadership rests before it is given to the preferred leader.
    pub transfer_pause: Duration,
    /// How long to wait before a draining node tries again to give a leadership away. Not longer than `transfer_pause`.
    pub drain_pause: Duration,
    /// How many voters the control group has, at most. Odd.
    pub control_voters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_moves: MAX_MOVES,
            grace: Duration::from_secs(5 * 60),
            patience: Duration::from_secs(30),
            caught_up: CAUGHT_UP,
            transfer_pause: Duration::from_secs(10),
            drain_pause: Duration::from_secs(1),
            control_voters: CONTROL_VOTERS,
        }
    }
}
