//! Why a node's groups cannot be opened or changed.

use crate::raft::log::LogOpenError;
use octopussy_control::ControlRefusal;
use octopussy_core::ports::{MAX_COMMAND_BYTES, ProposeError};
use octopussy_core::problem::{Code, Problem};
use octopussy_ledger::ColdError;
use octopussy_store::StoreError;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The groups cannot be opened; what is on the disk is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made.
    #[error("cannot create the data directory '{}': {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A store cannot be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored record cannot be read.
    #[error("a record of '{}' cannot be read: {detail}", path.display())]
    Record {
        /// The data directory.
        path: PathBuf,
        /// Which, and why.
        detail: String,
    },
    /// An earlier build wrote the state; it is as it was.
    #[error(
        "'{}' was written by a build from before there were clusters, which this one cannot read: start that build, or this one with another --home",
        path.display()
    )]
    Layout {
        /// The data directory.
        path: PathBuf,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread for the log: {0}")]
    Thread(io::Error),
    /// The timings contradict each other.
    #[error("the timings contradict each other: {0}")]
    Timings(String),
    /// A group cannot be started.
    #[error("group {group} cannot be started: {detail}")]
    Group {
        /// Its number: 0 is the control group, shard `n` is group `n + 1`.
        group: u16,
        /// Why.
        detail: String,
    },
    /// What a replica had is lost, and no other node is known to have a copy.
    #[error(
        "{what} (group {group} in '{}'), and no other node is known to have a copy: put the backup of this home back, or start with another --home",
        path.display()
    )]
    Lost {
        /// Its number: 0 is the control group, shard `n` is group `n + 1`.
        group: u16,
        /// The data directory.
        path: PathBuf,
        /// What is missing, in words.
        what: &'static str,
    },
    /// What was begun was not done in time. It may still be done.
    #[error("{0} took too long")]
    Late(&'static str),
}

impl From<LogOpenError> for OpenError {
    fn from(error: LogOpenError) -> Self {
        match error {
            LogOpenError::Store(error) => Self::Store(error),
            LogOpenError::Record { path, detail } => Self::Record { path, detail },
            LogOpenError::Thread(error) => Self::Thread(error),
        }
    }
}

impl OpenError {
    /// Whether another process has the stores open. One that was just killed lets go of them a moment later.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Store(StoreError::Locked { .. }))
    }
}

/// A command of the control group was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ControlError {
    /// It was committed and refused by the state machine; nothing changed.
    #[error(transparent)]
    Refused(#[from] ControlRefusal),
    /// No leader of the control group answers: it is being elected, or this node is on the smaller side of a partition.
    /// Nothing changed.
    #[error("no leader of the control group can be reached")]
    NoLeader,
    /// The leader was lost while the command was on its way; whether it was applied is not known.
    #[error(
        "the leader of the control group was lost while it had the command; whether it was carried out is not known"
    )]
    Uncertain,
    /// The log has as much in flight as it may; nothing changed.
    #[error("the log of the control group's leader is at its bound")]
    Busy,
    /// The log cannot be written; whether the command will be kept is not known.
    #[error("the store failed: {0}")]
    Store(Arc<str>),
    /// The node is stopping; nothing changed.
    #[error("the node is stopping")]
    Stopping,
    /// The command is longer than any may be; nothing changed, and no repetition helps.
    #[error("the change has {bytes} bytes, the limit is {limit}; nothing was changed")]
    TooLarge {
        /// Its length, encoded.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
}

impl ControlError {
    /// For a command of this many bytes.
    pub(crate) const fn too_large(bytes: usize) -> Self {
        Self::TooLarge { bytes: bytes as u64, limit: MAX_COMMAND_BYTES as u64 }
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let detail = error.to_string();
        match error {
            ControlError::Refused(_) => Self::new(Code::ClusterConflict, detail),
            ControlError::NoLeader | ControlError::Uncertain | ControlError::Stopping => {
                Self::new(Code::NotReady, detail).retry_after(Duration::from_secs(1))
            }
            ControlError::Busy => Self::new(Code::Overloaded, detail).retry_after(Duration::from_secs(1)),
            ControlError::Store(_) => Self::new(Code::StoreUnavailable, detail),
            ControlError::TooLarge { .. } => Self::new(Code::PayloadTooLarge, detail),
        }
    }
}

/// Lost groups could not be recovered. Those named by an earlier answer stay recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// This node belongs to no cluster.
    #[error("this node belongs to no cluster")]
    NotMember,
    /// A group could not be stopped or started again.
    #[error("group {group} cannot be recovered: {detail}")]
    Group {
        /// Its number: 0 is the control group, shard `n` is group `n + 1`.
        group: u16,
        /// Why.
        detail: String,
    },
    /// The control group did not take the change.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// The error callers get for a store that failed.
pub(crate) fn propose_error(error: &StoreError) -> ProposeError {
    if error.is_disk_full() { ProposeError::DiskFull } else { ProposeError::Store(error.to_string().into()) }
}

/// A store's error as the machine hears it.
pub(crate) fn cold_error(error: &StoreError) -> ColdError {
    ColdError(error.to_string().into())
}
