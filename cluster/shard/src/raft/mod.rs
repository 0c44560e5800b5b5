//! The types that openraft is given.

pub(crate) mod log;
pub(crate) mod machine;
mod types;

pub(crate) use types::{Answers, Entries, GroupId, TypeConfig};
