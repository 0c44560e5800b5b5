//! Checks of the workspace itself: what may depend on what.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod crate_graph;
