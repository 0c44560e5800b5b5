//! Where shards belong: weighted rendezvous hashing over committed members, and moves in small steps. Pure.
//!
//! [`decide`] is called every few hundred milliseconds on every node, with what that node sees; it answers with what is to
//! be done next. It remembers nothing: whoever executes its actions may lose them, repeat them or crash between two of
//! them, and the next decision starts from what is then true.

mod census;
mod control;
mod decide;
mod group;
mod leaders;
mod limits;
mod place;
mod plan;
mod rendezvous;
mod shards;
mod situation;
mod voters;

#[cfg(test)]
mod tests;

pub use decide::{decide, outstanding};
pub use limits::Limits;
pub use place::{Candidate, place};
pub use situation::{Action, Group, GroupView, MembershipView, Situation};
