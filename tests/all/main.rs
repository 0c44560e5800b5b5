//! Tests over real processes, and checks of the workspace itself.

mod process;
mod workspace;
