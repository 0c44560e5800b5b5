//! The types that openraft is given.

pub(crate) mod machine;
mod log;
mod types;

pub(crate) use types::{Answers, Entries, GroupId, TypeConfig};
