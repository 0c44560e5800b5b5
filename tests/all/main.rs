//! Tests over real processes, and checks of the workspace itself.

mod cluster;
mod process;
mod workspace;
