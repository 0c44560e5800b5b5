//! Meshes over loopback.

mod admission;
mod calls;
mod joining;
mod streams;
mod support;
