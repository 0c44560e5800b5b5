//! Checks of the workspace itself: what may depend on what.

mod crate_graph;
