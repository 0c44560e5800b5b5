//! The agent's state machine.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an agent is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgentState {
    /// It exists and has not been made ready.
    #[default]
    Created,
    /// It waits for work.
    Idle,
    /// It works.
    Processing,
    /// It takes no work until it is resumed.
    Paused,
    /// Its last work failed.
    Error,
    /// It is finishing.
    Stopping,
    /// It has ended.
    Stopped,
}

/// What can happen to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AgentEvent {
    /// It has been made ready.
    Ready,
    /// Work begins.
    Begin,
    /// Work has ended well.
    Done,
    /// Work has failed.
    Fail,
    /// The failure has been dealt with.
    Recover,
    /// Somebody pauses it.
    Pause,
    /// Somebody lets it go on.
    Resume,
    /// Somebody ends it.
    Stop,
    /// It has finished ending.
    Ended,
}

/// The state machine has no such transition; the state is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an agent that is {from} cannot {event}")]
pub struct IllegalTransition {
    /// The state it is in.
    pub from: AgentState,
    /// What was to happen.
    pub event: AgentEvent,
}

impl AgentState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Created, Self::Idle, Self::Processing, Self::Paused, Self::Error, Self::Stopping, Self::Stopped];

    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] for everything the machine does not list.
    pub const fn after(self, event: AgentEvent) -> Result<Self, IllegalTransition> {
        use AgentEvent as E;
        Ok(match (self, event) {
            (Self::Created, E::Ready)
            | (Self::Processing, E::Done)
            | (Self::Paused, E::Resume)
            | (Self::Error, E::Recover) => Self::Idle,
            (Self::Idle, E::Begin) => Self::Processing,
            (Self::Idle, E::Pause) => Self::Paused,
            (Self::Processing, E::Fail) => Self::Error,
            (Self::Idle | Self::Processing | Self::Paused | Self::Error, E::Stop) => Self::Stopping,
            (Self::Stopping, E::Ended) => Self::Stopped,
            (from, event) => return Err(IllegalTransition { from, event }),
        })
    }

    /// The name used outside.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Idle => "IDLE",
            Self::Processing => "PROCESSING",
            Self::Paused => "PAUSED",
            Self::Error => "ERROR",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
        }
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for AgentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "become ready",
            Self::Begin => "begin work",
            Self::Done => "finish work",
            Self::Fail => "fail",
            Self::Recover => "recover",
            Self::Pause => "be paused",
            Self::Resume => "be resumed",
            Self::Stop => "be stopped",
            Self::Ended => "end",
        })
    }
}

#[cfg(test)]
mod tests;
