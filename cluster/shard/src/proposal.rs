//! A command on its way.

use octopussy_core::ids::ShardId;
use octopussy_core::ports::ProposeError;
use octopussy_core::task::{Applied, Command};
use tokio::sync::oneshot;

/// What the caller gets.
pub(crate) type Answer = Result<Applied, ProposeError>;

/// Who waits for the answer.
pub(crate) enum Reply {
    Future(oneshot::Sender<Answer>),
    Thread(std::sync::mpsc::SyncSender<Answer>),
    Nobody,
}

impl Reply {
    /// Answers; a caller that has gone away is no matter.
    pub(crate) fn send(self, answer: Answer) {
        match self {
            Self::Future(caller) => drop(caller.send(answer)),
            Self::Thread(caller) => drop(caller.try_send(answer)),
            Self::Nobody => {}
        }
    }
}

/// A command with its encoding and whoever waits for its answer.
pub(crate) struct Proposal {
    pub(crate) shard: ShardId,
    pub(crate) command: Command,
    pub(crate) encoded: Vec<u8>,
    pub(crate) reply: Reply,
}

/// Commands that are durable, in the order of the log, without gaps.
pub(crate) struct Committed {
    pub(crate) first: u64,
    pub(crate) proposals: Vec<Proposal>,
}
