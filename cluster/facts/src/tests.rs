//! Facts over a mesh in memory.

mod exchange;
mod limits;
