//! The corpora of the fuzz targets, for ordinary tests.
//!
//! Fuzzing needs more than every machine has, so each crate that has doors for it (`src/fuzz.rs`) also tests, like anything else,
//! that everything in the corpora passes through them. Of each door's inputs some are *seeds*: real values, as this build encodes
//! them. They are golden: where a seed changes, so does what travels between nodes or lies in a home.

mod replay;

pub use replay::replay;
