//! Reads templates from files and keeps indexed documents.

mod cache;
mod load;

pub(super) use cache::IndexCache;
pub(super) use load::load;
