//! The logs of all Raft groups in one store of segments, with one thread that writes for all of them.
//!
//! A write's way: the caller encodes it, shows it to readers from memory and puts it in **line**; the one **writer** folds
//! everything in line, of whatever group, into one batch with one fsync, and then completes all callbacks. What was appended
//! last stays in memory, so that replication and applying read the store only for what is old. A store that fails is
//! never told to openraft, which would give the group up for good: the batch is kept and tried again until it works.

mod error;
mod gap;
mod group;
mod group_log;
mod health;
mod host;
mod job;
mod keys;
mod life;
mod line;
mod opening;
mod reading;
mod recover;
mod shared;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use error::LogOpenError;
pub(crate) use gap::Gap;
#[cfg(test)]
pub(crate) use group_log::GroupLog;
pub(crate) use host::LogHost;

use super::types::TypeConfig;

/// The id of an entry: its leader's term and its index.
pub(crate) type LogId = openraft::alias::LogIdOf<TypeConfig>;

/// What a node has promised to whom.
pub(crate) type Vote = openraft::alias::VoteOf<TypeConfig>;

/// An entry of a group's log.
pub(crate) type Entry = openraft::alias::EntryOf<TypeConfig>;
