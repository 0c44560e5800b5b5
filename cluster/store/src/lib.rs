//! Ordered keyspaces with atomic durable batches: the `Store` port and its engines.
//!
//! Everything above asks for a [`Store`]; which engine stands behind it is decided once, by [`open`]. redb is the default.
//! sled (feature `store-sled`) passes the same conformance suite but flushes with `sync_file_range` instead of `fdatasync`,
//! which leaves the last writes in the disk's cache: it survives a crash of the process, not a power cut. The log of the Raft
//! groups lies in segment files of our own ([`Engine::Segments`]): a commit there is one write and one `fdatasync`.

mod batch;
mod cached;
pub mod conformance;
mod engine;
mod error;
mod keyspace;
mod redb_engine;
mod segments;
#[cfg(feature = "store-sled")]
mod sled_engine;
mod store;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Operation};
pub use engine::{Engine, FORMAT_VERSION, StoreOptions, open};
pub use error::StoreError;
pub use keyspace::Keyspace;
pub use store::{Direction, Durability, KeyRange, Row, Snapshot, Store, Visit};
