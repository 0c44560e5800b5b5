//! The mesh: one QUIC endpoint a node, mutual TLS under the cluster's own authority, lanes, streams and datagrams.
//!
//! [`Mesh`] is the mesh over QUIC, [`memory`] one in memory for tests and simulations; both are a
//! [`MeshPort`](octopussy_core::ports::MeshPort). [`join()`] is what a node calls that is not a member yet.

mod accept;
mod bucket;
mod config;
mod dial;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod greet;
mod handlers;
mod hello;
mod inbound;
mod inner;
mod join;
mod known;
mod lane;
mod limits;
mod link;
pub mod memory;
mod mesh;
mod metrics;
mod refusal;
mod socket;
mod stream;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

pub use config::{BindError, LifeMemory, MeshCertificates, MeshConfig};
pub use inner::Impostor;
pub use join::{JoinError, JoinHandler, join};
pub use limits::{IDLE_TIMEOUT, JOIN_ANSWER_BYTES, JOIN_REQUEST_BYTES, LANE_QUEUE, LANE_WINDOW};
pub use mesh::Mesh;
pub use metrics::{LaneMetrics, MeshMetrics, OtherMetrics};
pub use refusal::Refusal;
pub use tls::{fingerprint, node_id};
