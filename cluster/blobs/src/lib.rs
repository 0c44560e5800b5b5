//! Blobs of a cluster. A blob is on several nodes before the command that names it is proposed, so that it is there wherever
//! its agent comes to run; a node that lacks one fetches it from another, and every replica of a shard keeps what the shard
//! names.
//!
//! Questions ride on the lane of blobs, contents on streams of their own, in chunks, so that they delay nothing else.

mod cluster_blobs;
mod copies;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod keeper;
mod limits;
mod serve;
mod transfer;
mod wire;

#[cfg(test)]
mod tests;

pub use cluster_blobs::{ClusterBlobs, Holders};
pub use keeper::BlobKeeper;
