//! The types that openraft is given.

mod types;

pub(crate) use types::{Answers, Entries, GroupId, TypeConfig};
