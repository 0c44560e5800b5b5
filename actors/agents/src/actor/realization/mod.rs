//! How agents run: one actor each, child tasks for their runs, all under one host a node.

mod agent;
mod commit;
mod control;
mod documents;
mod execution;
mod host;
mod live;
mod observer;
mod rejection;
mod root;
mod run_control;
mod run_task;
mod shared;
mod upkeep;

pub(super) use host::Host;
pub(super) use observer::Observer;
pub(super) use root::Root;
pub(super) use upkeep::{Upkeep, drain};

#[cfg(test)]
mod tests;
