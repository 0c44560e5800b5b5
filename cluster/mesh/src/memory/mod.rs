//! A mesh in memory, for tests and simulations: the nodes of one process, with seeded latency, loss, partitions and crashes.
//!
//! It runs on tokio's clock, so that a paused clock makes hours pass in milliseconds, or on a time that is moved by hand, for
//! nodes that have a runtime and a clock each. It is compiled always, so that the tests of every crate may use it; nothing in a
//! running node does.

mod calls;
mod link;
mod network;
mod node;
mod schedule;
mod shared;
mod stream;
mod time;

#[cfg(test)]
mod tests;

pub use network::Network;
pub use node::MemoryMesh;
