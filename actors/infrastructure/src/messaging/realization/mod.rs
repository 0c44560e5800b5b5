//! The watched topics and their watchers.

mod hub;
mod observer;

pub(crate) use hub::Hub;
pub(crate) use observer::Observer;
