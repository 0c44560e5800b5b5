//! A command on its way through its group.

use crate::error::ControlError;
use crate::raft::{Answers, Entries};
use octopussy_control::{ControlApplied, ControlCommand, ControlRefusal};
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Applied, Command, Refusal};
use octopussy_core::time::Timestamp;
use tokio::sync::oneshot;

/// A command of either kind of group.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Shard(Command),
    Control(ControlCommand),
}

impl Item {
    /// Sets the time at which it is carried out.
    pub(crate) fn stamp(&mut self, at: Timestamp) {
        match self {
            Self::Shard(command) => command.stamp(at),
            Self::Control(command) => command.stamp(at),
        }
    }
}

/// What came of an [`Item`] that was committed.
#[derive(Debug)]
pub(crate) enum Outcome {
    Shard(Result<Applied, Refusal>),
    Control(Result<ControlApplied, ControlRefusal>),
}

/// Why a command was not applied, or is not known to be.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Another node leads the group, this one if it is known. Nothing changed.
    NotLeader(Option<NodeId>),
    /// This node leads the group as far as it knows, without a quorum that answers. Nothing changed.
    Fenced,
    /// The leadership was lost after the command was appended.
    Uncertain,
    /// The line is at its bound. Nothing changed.
    Busy,
    /// The store failed.
    Store(ProposeError),
    /// The node is stopping. Nothing changed.
    Stopping,
    /// The command has so many bytes, which are more than any may have. Nothing changed.
    TooLarge(usize),
}

impl Fault {
    /// As callers of the ledger hear it.
    pub(crate) fn of_shard(self, shard: ShardId) -> ProposeError {
        match self {
            Self::NotLeader(_) => ProposeError::NotLeader(shard),
            Self::Fenced => ProposeError::NoLeader(shard),
            Self::Uncertain => ProposeError::Uncertain(shard),
            Self::Busy => ProposeError::Busy,
            Self::Store(error) => error,
            Self::Stopping => ProposeError::Stopping,
            Self::TooLarge(bytes) => ProposeError::too_large(bytes),
        }
    }

    /// As callers of the control group hear it.
    pub(crate) fn of_control(self) -> ControlError {
        match self {
            Self::NotLeader(_) | Self::Fenced => ControlError::NoLeader,
            Self::Uncertain => ControlError::Uncertain,
            Self::Busy => ControlError::Busy,
            Self::Store(error) => ControlError::Store(error.to_string().into()),
            Self::Stopping => ControlError::Stopping,
            Self::TooLarge(bytes) => ControlError::too_large(bytes),
        }
    }
}

/// Who waits for the answer; a caller that has gone away is no matter.
pub(crate) type Caller = oneshot::Sender<Result<Outcome, Fault>>;

/// What a caller waits on.
pub(crate) type Answer = oneshot::Receiver<Result<Outcome, Fault>>;

/// Makes one entry of commands. A line only ever holds commands of its group's kind.
pub(crate) fn entry(items: Vec<Item>) -> Entries {
    let mut commands = Vec::with_capacity(items.len());
    let mut control = Vec::new();
    for item in items {
        match item {
            Item::Shard(command) => commands.push(command),
            Item::Control(command) => control.push(command),
        }
    }
    if control.is_empty() { Entries::Shard(commands) } else { Entries::Control(control) }
}

/// Hands each caller its part of an entry's answer.
pub(crate) fn distribute(answers: Answers, callers: Vec<Caller>) {
    let outcomes: Vec<Outcome> = match answers {
        Answers::None => Vec::new(),
        Answers::Shard(answers) => answers.into_iter().map(Outcome::Shard).collect(),
        Answers::Control(answers) => answers.into_iter().map(Outcome::Control).collect(),
    };
    if outcomes.len() != callers.len() {
        tracing::error!(
            answers = outcomes.len(),
            callers = callers.len(),
            "an entry's answers do not fit its commands"
        );
    }
    // Callers without an answer see their channel closed, which they take as uncertain.
    for (caller, outcome) in callers.into_iter().zip(outcomes) {
        drop(caller.send(Ok(outcome)));
    }
}

/// Tells all callers of an entry the same.
pub(crate) fn refuse(callers: impl IntoIterator<Item = Caller>, fault: &Fault) {
    for caller in callers {
        drop(caller.send(Err(fault.clone())));
    }
}
