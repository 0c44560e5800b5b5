//! The mesh: one QUIC endpoint a node, mutual TLS under the cluster's own authority, lanes, streams and datagrams.

mod handlers;
mod limits;
pub mod memory;

pub use limits::{IDLE_TIMEOUT, LANE_WINDOW};
