//! Tests of the node as a whole, on real files in temporary directories.

mod support;
mod way;
