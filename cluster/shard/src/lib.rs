//! Shards of one node: the log writer, the applier, the state store, the blob store, the ledger port.
//!
//! A command's way: [`SingleNode::propose`](octopussy_core::ports::LedgerPort::propose) puts it in line; the one **writer**
//! appends everything in line to the log with one fsync; the **applier** applies it to its shard's machine in memory and
//! answers, or for a few commands the writer does that itself; the **flusher** brings what has changed into the state store about once a second, after which the log below is
//! dropped. A restart reads the state and replays the log's tail.

mod applier;
mod applying;
mod blobs;
mod config;
mod dirty;
mod error;
mod failure;
mod flusher;
mod inner;
mod keys;
mod ledger_port;
mod listing;
mod log_batch;
mod maintenance;
mod node;
mod proposal;
mod queue;
mod raft;
mod records;
mod routing;
mod state;
mod stores;
mod view;
mod waiters;
mod writer;

#[cfg(test)]
mod tests;

pub use blobs::FileBlobs;
pub use config::ShardConfig;
pub use error::OpenError;
pub use node::SingleNode;
pub use octopussy_store::Engine;
pub use queue::QUEUE_CAPACITY;
