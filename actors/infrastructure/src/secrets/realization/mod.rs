//! The encrypted file and its key.

mod file_store;
mod files;
mod seal;

pub(crate) use file_store::FileStore;
pub use file_store::derived_key;
