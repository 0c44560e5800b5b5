//! The watched topics with their watchers, here and at other nodes, and what nodes ask each other about agents.

mod follow;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hub;
mod lane;
mod merge;
mod observer;
mod parts;
mod remote;
mod serve;
mod watcher;
mod wire;

pub(crate) use follow::Follow;
pub(crate) use hub::Hub;
pub(crate) use lane::AgentLane;
pub(crate) use merge::Merge;
pub(crate) use observer::Observer;
pub(crate) use parts::Parts;
pub(crate) use remote::Relays;
pub(crate) use serve::EventStreams;
