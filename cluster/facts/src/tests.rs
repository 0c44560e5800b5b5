//! Facts over a mesh in memory.

mod exchange;
pub(crate) mod limits;
