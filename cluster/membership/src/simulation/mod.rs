//! A cluster in virtual time: an event queue and a seeded network under the pure protocol.
//!
//! The network behaves as the mesh does: peers are connected or not, datagrams between unconnected peers go nowhere, a
//! connection whose packets stop arriving in either direction is closed after an idle time, streams are reliable while there
//! is a connection, and nodes dial whom they have heard of.

mod cluster;
mod connections;
mod event;
mod link;
mod network;
mod node;

pub use cluster::Simulation;
pub use network::NetworkSettings;
pub use node::Death;
