//! How an agent gets from the state it is in to the one it should be in, by legal transitions only.

use octopussy_core::agent::{AgentEvent, AgentState};

/// Where an agent should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Waiting for work.
    Idle,
    /// At work.
    Processing,
    /// Taking no work.
    Paused,
    /// Ending, with work still to be wound up.
    Stopping,
    /// Ended.
    Stopped,
}

impl Wanted {
    /// The state that is meant.
    #[must_use]
    pub const fn state(self) -> AgentState {
        match self {
            Self::Idle => AgentState::Idle,
            Self::Processing => AgentState::Processing,
            Self::Paused => AgentState::Paused,
            Self::Stopping => AgentState::Stopping,
            Self::Stopped => AgentState::Stopped,
        }
    }
}

/// The next event on the way from `from` to `wanted`; `None` when it is there, or can never get there.
#[must_use]
pub fn next_event(from: AgentState, wanted: Wanted) -> Option<AgentEvent> {
    if from == wanted.state() {
        return None;
    }
    let ends = matches!(wanted, Wanted::Stopping | Wanted::Stopped);
    match from {
        AgentState::Created => Some(AgentEvent::Ready),
        AgentState::Idle => Some(match wanted {
            Wanted::Processing => AgentEvent::Begin,
            Wanted::Paused => AgentEvent::Pause,
            Wanted::Stopping | Wanted::Stopped => AgentEvent::Stop,
            Wanted::Idle => return None,
        }),
        AgentState::Processing => Some(if ends { AgentEvent::Stop } else { AgentEvent::Done }),
        AgentState::Paused => Some(if ends { AgentEvent::Stop } else { AgentEvent::Resume }),
        AgentState::Error => Some(if ends { AgentEvent::Stop } else { AgentEvent::Recover }),
        AgentState::Stopping => Some(AgentEvent::Ended),
        AgentState::Stopped => None,
    }
}
