//! What each node is: the facts plane of the mesh.
//!
//! Every node tells its capacity, load, version and models to every node that it is connected with, over the mesh's one-way
//! messages. Nobody tells anything of others: what is known of a node it has said itself, and the mesh vouches for who it is.
//! What is lost is told again, to some of them in each round.
//!
//! Facts inform: nothing is placed, led or removed because of them alone, and whether a node answers is not said here.
//! A node's facts are kept for a quarter of an hour after it was last heard of.

mod config;
mod error;
mod facts;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod message;
mod records;
mod table;

pub use config::FactsConfig;
pub use error::FactsError;
pub use facts::Facts;
pub use records::MAX_FACTS_BYTES;

#[cfg(test)]
mod tests;
