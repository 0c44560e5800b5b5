//! What each node is: the facts plane of the mesh.
//!
//! Every node tells its capacity, load, version and models, and learns what the others tell, by scuttlebutt reconciliation
//! (van Renesse and others, 2008) as chitchat implements it, over the mesh's one-way messages. [`Facts`] is all that others
//! see of it, so that it can be replaced.
//!
//! Facts inform: nothing is placed, led or removed because of them alone, and whether a node answers is not said here.
//! A node's facts are kept for a quarter of an hour after it was last heard of.

mod address;
mod bounds;
mod config;
mod error;
mod facts;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod records;
mod table;
mod transport;

pub use config::FactsConfig;
pub use error::FactsError;
pub use facts::Facts;
pub use records::MAX_FACTS_BYTES;

#[cfg(test)]
mod tests;
