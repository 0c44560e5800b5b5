//! Joining: the one thing that a node without a certificate may ask, on a protocol of its own.
//!
//! The joining node knows the fingerprint of the cluster's authority (it is in the token) and trusts whoever shows it; the
//! serving node trusts nobody yet and carries the request to its handler, which checks the token inside.

mod client;
mod doorkeeper;
mod server;

pub use client::{JoinError, join};
pub(crate) use doorkeeper::Doorkeeper;
pub(crate) use server::serve;

use bytes::Bytes;
use futures::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;

/// Answers requests to join.
pub trait JoinHandler: Send + Sync {
    /// Answers `request` from `address`, of at most [`crate::JOIN_REQUEST_BYTES`] bytes, within 30 s. Nothing is known of
    /// who asks: the request has to prove it. The answer has at most [`crate::JOIN_ANSWER_BYTES`] bytes; an error is told to
    /// who asks and should not help in guessing.
    fn join(&self, address: SocketAddr, request: Bytes) -> BoxFuture<'static, Result<Bytes, Arc<str>>>;
}

/// The status byte before an answer.
const ADMITTED: u8 = 0;
/// The status byte before the reason of a refusal.
const REFUSED: u8 = 1;
