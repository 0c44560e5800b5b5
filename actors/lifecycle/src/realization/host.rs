//! What the host of the capabilities hands in when it starts them.

use super::StatusBoard;
use octopussy_core::time::Clock;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The start of one capability: long enough to replay a log on a slow board.
    pub start: Duration,
    /// The start of a sidecar: others wait for it, and it must not keep them long.
    pub sidecar_start: Duration,
    /// Stopping everything that had started when another could not.
    pub unwind: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { start: Duration::from_secs(30), sidecar_start: Duration::from_secs(5), unwind: Duration::from_secs(10) }
    }
}

/// What the host of the capabilities hands in when it starts them.
#[derive(Clone)]
pub struct Host {
    /// Tells the time; also what the `clock` port is.
    pub clock: Arc<dyn Clock>,
    /// The node's data directory.
    pub home: PathBuf,
    /// Where the phases can be read, by the host and by whoever it gives the board to before the start.
    pub board: Arc<StatusBoard>,
    /// How long things may take.
    pub limits: Limits,
    /// Cancelled by the host to give up a start that is under way: what has started is stopped again.
    pub interrupt: CancellationToken,
}

impl Host {
    /// A host with the usual limits, a board of its own, and nothing that interrupts it.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, home: PathBuf) -> Self {
        let board = Arc::new(StatusBoard::new());
        Self { clock, home, board, limits: Limits::default(), interrupt: CancellationToken::new() }
    }

    /// With a board that others hold already.
    #[must_use]
    pub fn with_board(mut self, board: Arc<StatusBoard>) -> Self {
        self.board = board;
        self
    }
}
