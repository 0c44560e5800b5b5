//! The phases of a capability's life.

use std::fmt;

/// Where a capability is in its life. The first seven are passed in this order and none is skipped; a failure ends the
/// way early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Its configuration is there and its contract is checked.
    Instantiate,
    /// It has checked its configuration and set up its own state.
    Initialize,
    /// It holds all its ports.
    Inject,
    /// It opens files and connections.
    Start,
    /// It serves.
    Runtime,
    /// It finishes or hands back what runs.
    Stop,
    /// It releases what it holds.
    Cleanup,
    /// It is gone.
    Ended,
    /// It could not start, or it died; the detail says why.
    Failed,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 9] = [
        Self::Instantiate,
        Self::Initialize,
        Self::Inject,
        Self::Start,
        Self::Runtime,
        Self::Stop,
        Self::Cleanup,
        Self::Ended,
        Self::Failed,
    ];

    /// The name used outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instantiate => "instantiate",
            Self::Initialize => "initialize",
            Self::Inject => "inject",
            Self::Start => "start",
            Self::Runtime => "runtime",
            Self::Stop => "stop",
            Self::Cleanup => "cleanup",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    /// Whether `next` may come directly after this phase.
    ///
    /// What was never started has nothing to stop: it ends at once when another's failure ends the start. What died while it
    /// served is still stopped and cleaned up.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Instantiate => matches!(next, Self::Initialize | Self::Ended | Self::Failed),
            Self::Initialize => matches!(next, Self::Inject | Self::Ended | Self::Failed),
            Self::Inject => matches!(next, Self::Start | Self::Ended | Self::Failed),
            Self::Start => matches!(next, Self::Runtime | Self::Failed),
            Self::Runtime => matches!(next, Self::Stop | Self::Failed),
            Self::Failed => matches!(next, Self::Stop),
            Self::Stop => matches!(next, Self::Cleanup),
            Self::Cleanup => matches!(next, Self::Ended),
            Self::Ended => false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
