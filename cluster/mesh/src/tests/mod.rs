//! Meshes over loopback.

mod admission;
mod authorities;
mod calls;
mod guarded;
mod joining;
mod rate;
mod streams;
mod support;
