//! Checks of the workspace itself: what may depend on what, and how files are kept.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod crate_graph;
mod tidy;
