//! Meshes over loopback.

mod admission;
mod calls;
mod joining;
mod rate;
mod streams;
mod support;
