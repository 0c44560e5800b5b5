//! What the lifecycle decides, without doing any of it: the start order, the phases, the shares of a deadline.

mod graph;
mod phase;
mod registry_error;
mod share;

pub use graph::{CyclePath, GraphError, Node, find_cycle, start_order};
pub use phase::Phase;
pub use registry_error::{Mismatch, RegistryError};
pub use share::share;

#[cfg(test)]
mod tests;
