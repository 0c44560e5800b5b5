//! The types that openraft is given.

pub(crate) mod log;
pub(crate) mod machine;
mod replica;
mod types;

pub(crate) use replica::{Replica, ReplicaIncarnation};
pub(crate) use types::{Answers, Entries, GroupId, TypeConfig};
