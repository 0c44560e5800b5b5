//! The types that openraft is given.

pub(crate) mod machine;
pub(crate) mod log;
mod types;

pub(crate) use types::{Answers, Entries, GroupId, TypeConfig};
