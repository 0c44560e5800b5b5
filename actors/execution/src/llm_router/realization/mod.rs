//! Asks providers over the network and keeps track of how they do.

mod errors;
mod gpu;
mod health;
mod http;
mod key;
#[cfg(test)]
mod measure;
mod provider;
mod routing;
mod table_file;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use health::watch;
pub(super) use provider::Provider;
pub(super) use routing::Shared;
